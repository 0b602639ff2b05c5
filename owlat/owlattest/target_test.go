package owlattest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
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
		if path, query := splitTarget(in); path != want[0] || query != want[1] {
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
		got, ok := decodeSegment(in)
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
		got, ok := queryValue(in, "x")
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
		if got, ok := parseInt(in); !ok || got != want {
			t.Errorf("%q: %d %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "x", "-", "NaN", ".5", "- 1"} {
		if got, ok := parseInt(in); ok {
			t.Errorf("%q: %d, want NaN", in, got)
		}
	}
}

// requests on one connection, in all the ways a body can be framed, with odd targets between them.
const stream3 = "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 23\r\n\r\nGET /%zz HTTP/1.1\r\n\r\n.\n" +
	"PUT /%zz?a=1 HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\n5;ext=1\r\n/%zz \r\n15\r\nGET /%zz HTTP/1.1\r\n\r\n\r\n0\r\nTrailer: %zz\r\n\r\n" +
	"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n" +
	"\r\nGET /last%20one HTTP/1.0\nHost: x\n\n"

func TestRawConnKeepsFraming(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader,
		"with error": iotest.DataErrReader,
	} {
		conn := &rawConn{Conn: readConn{Reader: wrap(strings.NewReader(stream3))}}
		r := bufio.NewReader(conn)
		for i, want := range []string{"/one", "/%zz?a=1", "/a b", "/last%20one"} {
			if i == 3 {
				_, _ = r.Discard(2) // the empty line that may stand before a request
			}
			req, err := http.ReadRequest(r)
			if err != nil {
				t.Fatalf("%s: request %d: %v", name, i+1, err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := requestTarget(req); got != want {
				t.Errorf("%s: target %q, want %q", name, got, want)
			}
			if i == 0 && string(body) != "GET /%zz HTTP/1.1\r\n\r\n.\n" || i == 1 && string(body) != "/%zz GET /%zz HTTP/1.1\r\n\r\n" {
				t.Errorf("%s: body %q", name, body)
			}
		}
	}
}

type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// FuzzRawConn checks that nothing but request lines is ever changed, whatever arrives and however it is cut up.
func FuzzRawConn(f *testing.F) {
	f.Add([]byte(stream3), byte(3))
	f.Add([]byte("\x16\x03\x01\x02"), byte(1))
	f.Add([]byte("GET /%"), byte(9))
	f.Fuzz(func(t *testing.T, in []byte, size byte) {
		read := func(r io.Reader) []byte {
			out, err := io.ReadAll(&rawConn{Conn: readConn{Reader: r}})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		whole := read(bytes.NewReader(in))
		if cut := read(&smallReader{in, int(size)%7 + 1}); !bytes.Equal(whole, cut) {
			t.Fatalf("cut up: %q, whole: %q", cut, whole)
		}
		if !bytes.Contains(whole, []byte(rawTargetHeader)) && !bytes.HasPrefix(in, whole) {
			t.Fatalf("changed %q to %q", in, whole)
		}
	})
}

type smallReader struct {
	rest []byte
	size int
}

func (r *smallReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.size)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// FuzzDecodeSegment checks that every address survives the encoding that clients use.
func FuzzDecodeSegment(f *testing.F) {
	f.Add("slash/ed+%41@example.com")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := decodeSegment(url.PathEscape(s)); ok != (strings.ToValidUTF8(s, "") == s) || ok && got != s {
			t.Fatalf("%q became %q %v", s, got, ok)
		}
	})
}
