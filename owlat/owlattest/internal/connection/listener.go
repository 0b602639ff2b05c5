package connection

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// rawTargetHeader carries a request target that net/http would refuse from the connection to the handler.
const rawTargetHeader = "X-Owlattest-Target"

// Listener returns a listener whose connections let odd request targets through, such as those with a malformed
// percent-encoding, to a handler that calls Serve; all else passes unchanged.
func Listener(l net.Listener) net.Listener { return rawListener{l} }

type rawListener struct{ net.Listener }

func (l rawListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &rawConn{Conn: conn}, nil
}

// requestTarget returns the request target as it stood on the request line, without a prefix that an http.StripPrefix
// removed.
func requestTarget(r *http.Request) string {
	if raw := r.Header.Get(rawTargetHeader); raw != "" {
		return raw
	}
	target := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return target
}

// Odd reports whether the request's target is one that net/http would refuse.
func Odd(r *http.Request) bool { return r.Header.Get(rawTargetHeader) != "" }

// rawConn follows the framing of the requests on a connection and rewrites request lines that net/http would refuse.
type rawConn struct {
	net.Conn
	buffer  []byte
	in, out []byte // read but not looked at, and ready to be read
	sent    int    // how much of out was read
	state   framing
	left    int64 // bytes until the state ends, in body and chunk
	length  int64 // Content-Length of the present request
	chunked bool
}

// framing is what comes next on the connection.
type framing uint8

const (
	requestLine framing = iota
	headerLine
	bodyBytes
	chunkLine
	chunkBytes
	trailerLine
	opaque // not HTTP/1; left alone
)

// maxLine is more than net/http takes of a header altogether.
const maxLine = 2 << 20

func (c *rawConn) Read(p []byte) (int, error) {
	for c.sent == len(c.out) {
		if c.buffer == nil {
			c.buffer = make([]byte, 4096)
		}
		n, err := c.Conn.Read(c.buffer)
		c.out, c.sent = c.out[:0], 0
		c.in = append(c.in, c.buffer[:n]...)
		c.advance()
		if len(c.out) == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, c.out[c.sent:])
	c.sent += n
	return n, nil
}

// advance moves what can be judged from in to out.
func (c *rawConn) advance() {
	whole := c.in
	defer func() {
		c.in = whole[:copy(whole, c.in)]
	}()
	for len(c.in) > 0 {
		switch c.state {
		case opaque:
			c.pass(len(c.in))
		case bodyBytes, chunkBytes:
			n := int(min(c.left, int64(len(c.in))))
			c.pass(n)
			if c.left -= int64(n); c.left > 0 {
				return
			}
			if c.state == bodyBytes {
				c.state = requestLine
			} else {
				c.state = chunkLine
			}
		default:
			end := bytes.IndexByte(c.in, '\n')
			if end < 0 {
				if len(c.in) > maxLine {
					c.state = opaque
					continue
				}
				return
			}
			c.line(end + 1)
		}
	}
}

func (c *rawConn) pass(n int) {
	c.out = append(c.out, c.in[:n]...)
	c.in = c.in[n:]
}

// line judges the line that ends before in[end] and passes it on.
func (c *rawConn) line(end int) {
	line := strings.TrimRight(string(c.in[:end]), "\r\n")
	switch c.state {
	case requestLine:
		if line != "" {
			c.state, c.length, c.chunked = headerLine, 0, false
			if safe, ok := safeRequestLine(line); ok {
				c.out = append(c.out, safe...)
				c.in = c.in[end:]
				return
			}
		}
	case headerLine:
		c.header(line)
	case chunkLine:
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 63)
		switch {
		case err != nil:
			c.state = opaque
		case n == 0:
			c.state = trailerLine
		default:
			c.state, c.left = chunkBytes, n+2 // with the line end that follows
		}
	case trailerLine:
		if line == "" {
			c.state = requestLine
		}
	}
	c.pass(end)
}

func (c *rawConn) header(line string) {
	if line == "" {
		switch {
		case c.chunked:
			c.state = chunkLine
		case c.length > 0:
			c.state, c.left = bodyBytes, c.length
		default:
			c.state = requestLine
		}
		return
	}
	name, val, _ := strings.Cut(line, ":")
	val = strings.TrimSpace(val)
	switch strings.ToLower(name) {
	case "content-length":
		c.length, _ = strconv.ParseInt(val, 10, 64) // net/http refuses what is no number
	case "transfer-encoding":
		c.chunked = strings.EqualFold(val, "chunked")
	}
}

// safeRequestLine replaces a request line whose target net/url cannot hold by one for "/" and a header with the target.
func safeRequestLine(line string) (string, bool) {
	method, rest, _ := strings.Cut(line, " ")
	at := strings.LastIndex(rest, " HTTP/1.")
	if at < 0 {
		return "", false
	}
	target := rest[:at]
	if _, err := url.ParseRequestURI(target); err == nil && !strings.Contains(target, " ") || target == "*" {
		return "", false
	}
	if strings.ContainsFunc(target, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return "", false
	}
	return method + " / " + rest[at+1:] + "\r\n" + rawTargetHeader + ": " + target + "\r\n", true
}
