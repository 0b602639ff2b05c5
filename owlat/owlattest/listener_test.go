package owlattest_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"owlatsync/owlat/owlattest"
)

func TestServeEndsWithRequestsUnderWay(t *testing.T) {
	t.Parallel()
	for _, kind := range []owlattest.FaultKind{owlattest.EndlessBody, owlattest.Latency} {
		var s owlattest.Server
		arrived := make(chan struct{}, 1)
		s.OnRequest = func(owlattest.Request) { arrived <- struct{}{} }
		must(t, s.InjectFaults(owlattest.Fault{Kind: kind}))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, l) }()
		conn, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		_, err = io.WriteString(conn, "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
		must(t, err)
		<-arrived
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		must(t, conn.Close())
		if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Error("the listener is still open")
		}
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	var s owlattest.Server
	if err := s.Serve(t.Context(), l); err == nil {
		t.Error("no error")
	}
}

func TestListenerInAnotherServer(t *testing.T) {
	t.Parallel()
	var s owlattest.Server
	server := httptest.NewUnstartedServer(http.StripPrefix("/owlat", &s))
	server.Listener = owlattest.Listener(server.Listener)
	server.Start()
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	defer func() { _ = conn.Close() }()
	// Two requests sent at once on one connection, the first with a body.
	_, err = io.WriteString(conn, "POST /owlat/api/v1/nope%2Fx HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%zz"+
		"GET /owlat/api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	r := bufio.NewReader(conn)
	for _, want := range []string{"No HttpAction routed for /api/v1/nope%2Fx", `{"status":"ok"`} {
		res, err := http.ReadResponse(r, nil)
		must(t, err)
		body, err := io.ReadAll(res.Body)
		must(t, err)
		if !strings.HasPrefix(string(body), want) {
			t.Errorf("%s, want %s", body, want)
		}
	}
}

func TestBrokenRequestBodyHasNoEffect(t *testing.T) {
	t.Parallel()
	var s owlattest.Server
	base := serve(t, &s)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	_, err = io.WriteString(conn, "POST /api/v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: "+s.AddKey()+"\r\nContent-Length: 99\r\n\r\n{\"email\":\"a@example.com\"}")
	must(t, err)
	must(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	must(t, err)
	if len(answer) > 0 || s.Len() != 0 || s.Stats().Total != 0 {
		t.Errorf("answered %q, %d contacts", answer, s.Len())
	}
	must(t, conn.Close())
}
