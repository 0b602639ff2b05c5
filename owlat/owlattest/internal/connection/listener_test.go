package connection

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

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
