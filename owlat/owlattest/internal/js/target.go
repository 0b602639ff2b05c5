package js

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// SplitTarget cuts a request target into path and query as the WHATWG URL parser does that Owlat's handlers use: a
// scheme and host are dropped, "#" ends the target, "\" is "/" in the path, and dot segments are resolved, also
// percent-encoded ones. Percent-encoding is otherwise left alone.
func SplitTarget(target string) (path, query string) {
	target, _, _ = strings.Cut(target, "#")
	if scheme, rest, found := strings.Cut(target, "://"); found && (scheme == "http" || scheme == "https") {
		if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
			target = rest[slash:]
		} else {
			target = "/"
		}
	}
	path, query, _ = strings.Cut(target, "?")
	path = strings.ReplaceAll(path, `\`, "/")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if strings.Contains(path, "/.") || strings.Contains(path, "/%2") {
		path = resolveDots(path)
	}
	return path, query
}

func resolveDots(path string) string {
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// DecodeSegment is JavaScript's decodeURIComponent; false stands for the exception it throws on a malformed escape and
// on escaped bytes that are not UTF-8.
func DecodeSegment(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		c, ok := hexByte(s[i+1:])
		if !ok {
			return "", false
		}
		out = append(out, c)
		i += 2
	}
	return string(out), utf8.Valid(out)
}

func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:2], 16, 8)
	return byte(n), err == nil
}

// QueryValue is JavaScript's URLSearchParams.get: the first value of that name; malformed escapes stay as they are.
func QueryValue(query, name string) (string, bool) {
	for pair := range strings.SplitSeq(query, "&") {
		key, val, _ := strings.Cut(pair, "=")
		if pair != "" && decodeQuery(key) == name {
			return decodeQuery(val), true
		}
	}
	return "", false
}

func decodeQuery(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := hexByte(s[i+1:]); s[i] == '%' && ok {
			out = append(out, c)
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// ParseInt is JavaScript's ParseInt(s, 10); false stands for NaN. Numbers beyond a billion are cut to it.
func ParseInt(s string) (int, bool) {
	const enough = 1_000_000_000
	s = strings.TrimLeft(s, " \t\n\v\f\r\u00a0\u2028\u2029\ufeff")
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	n, digits := 0, 0
	for ; digits < len(s) && s[digits] >= '0' && s[digits] <= '9'; digits++ {
		n = min(n*10+int(s[digits]-'0'), enough)
	}
	if negative {
		n = -n
	}
	return n, digits > 0
}
