package connection

import (
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"owlatsync/owlat/owlattest/internal/faults"
)

// InProcess is an http.RoundTripper that reaches the Exchanger without sockets and goroutines, whatever the host. It honours the
// request's context and shows faults as a client of a socket sees them.
type InProcess struct {
	Exchanger
	Now func() time.Time // on the server's clock
}

// RoundTrip answers one request.
func (t InProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	d := t.Exchange(ctx, method, req.URL.RequestURI(), req.Header.Get("Authorization"), sent)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.Gone || d.reset() {
		return nil, errReset()
	}
	header := maps.Clone(d.Answer.Header)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Date", t.Now().UTC().Format(http.TimeFormat))
	length := int64(len(d.Answer.Body))
	if d.Kind == faults.EndlessBody {
		length = -1
	} else if length > 0 || d.Answer.Status != http.StatusNoContent {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	res := &http.Response{
		Status: strconv.Itoa(d.Answer.Status) + " " + http.StatusText(d.Answer.Status), StatusCode: d.Answer.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: length, Body: d.body(ctx), Request: req,
	}
	if method == http.MethodHead {
		res.Body = http.NoBody
	}
	return res, nil
}

// errReset is what a client of a socket sees when its connection is reset.
func errReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}
