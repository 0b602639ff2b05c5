package js

import (
	"net/url"
	"strings"
	"testing"
)

func TestSplitTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"/a/b?c=d?e":                   {"/a/b", "c=d?e"},
		"/a#b?c":                       {"/a", ""},
		"/a?b#c":                       {"/a", "b"},
		"http://x.example/a?b":         {"/a", "b"},
		"https://x.example":            {"/", ""},
		"https://x.example?b":          {"/", "b"},
		"/a/../b/./c":                  {"/b/c", ""},
		"/a/b/..":                      {"/a/", ""},
		"/a/b/.":                       {"/a/b/", ""},
		"/a/%2E%2e/b":                  {"/b", ""},
		"/a/.%2e":                      {"/", ""},
		"/../..":                       {"/", ""},
		"/a/...":                       {"/a/...", ""},
		"/a/.b":                        {"/a/.b", ""},
		`/a\b`:                         {"/a/b", ""},
		"/a/%zz":                       {"/a/%zz", ""},
		"/a//b":                        {"/a//b", ""},
		"a":                            {"/a", ""},
		"/contacts/x%2F..%2Fy@a.co?q=": {"/contacts/x%2F..%2Fy@a.co", "q="},
	} {
		if path, query := SplitTarget(in); path != want[0] || query != want[1] {
			t.Errorf("%s: %q %q, want %q", in, path, query, want)
		}
	}
}

func TestDecodeSegment(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a": "a", "%61": "a", "%C3%a9": "é", "a+b": "a+b", "%2F%25": "/%", "%00": "\x00",
		"%": "!", "%4": "!", "%zz": "!", "%E0%A4%A": "!", "%ff": "!", "%C3": "!", "%ED%A0%80": "!", "100%": "!", "%+1": "!",
	} {
		got, ok := DecodeSegment(in)
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestQueryValue(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"x=1": "1", "y=2&x=1&x=3": "1", "x": "", "x=": "", "x=a+b%20c": "a b c", "%78=1": "1", "x=%zz": "%zz", "x=%": "%",
		"x=a=b": "a=b", "x=%ff": "\ufffd", "x=a;b": "a;b", "y=1": "!", "": "!", "&&x=1": "1",
	} {
		got, ok := QueryValue(in, "x")
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestParseInt(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"1": 1, " 12x": 12, "1.9": 1, "1e3": 1, "-1": -1, "+5": 5, "0x10": 0, "\u00a07": 7, "99999999999999999999": 1_000_000_000,
	} {
		if got, ok := ParseInt(in); !ok || got != want {
			t.Errorf("%q: %d %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "x", "-", "NaN", ".5", "- 1"} {
		if got, ok := ParseInt(in); ok {
			t.Errorf("%q: %d, want NaN", in, got)
		}
	}
}

// FuzzDecodeSegment checks that every address survives the encoding that clients use.
func FuzzDecodeSegment(f *testing.F) {
	f.Add("slash/ed+%41@example.com")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := DecodeSegment(url.PathEscape(s)); ok != (strings.ToValidUTF8(s, "") == s) || ok && got != s {
			t.Fatalf("%q became %q %v", s, got, ok)
		}
	})
}
