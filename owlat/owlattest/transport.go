package owlattest

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Transport returns a RoundTripper that reaches the server in process, whatever the host: without sockets and without
// goroutines, so that it works in a testing/synctest bubble. It honours the request's context and shows faults as a
// client of a socket sees them.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
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
	d := t.server.exchange(ctx, method, req.URL.RequestURI(), req.Header.Get("Authorization"), sent)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.gone || d.reset() {
		return nil, errReset()
	}
	header := maps.Clone(d.answer.header)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	length := int64(len(d.answer.body))
	if d.kind == EndlessBody {
		length = -1
	} else if length > 0 || d.answer.status != http.StatusNoContent {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	res := &http.Response{
		Status: strconv.Itoa(d.answer.status) + " " + http.StatusText(d.answer.status), StatusCode: d.answer.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: length, Body: d.body(ctx), Request: req,
	}
	if method == http.MethodHead {
		res.Body = http.NoBody
	}
	return res, nil
}
