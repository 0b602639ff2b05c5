package owlattest

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// delivery is how one request ends: an answer sent as it is or spoilt by a fault, a reset, or nobody waiting any more.
type delivery struct {
	answer *answer
	kind   FaultKind // what spoils the answer
	delay  time.Duration
	gone   bool // the client did not wait
}

func (d *delivery) reset() bool { return d.kind == ResetBefore || d.kind == ResetAfter }

// chunk is what an endless body sends at a time; white space, so that a JSON parser keeps waiting.
var chunk = bytes.Repeat([]byte(" "), 32<<10)

// pieces of a slow body.
const pieces = 10

// serve sends the answer over a socket.
func (d *delivery) serve(w http.ResponseWriter, r *http.Request) {
	if d.gone {
		panic(http.ErrAbortHandler)
	}
	if d.reset() {
		resetConnection(w)
	}
	for name, values := range d.answer.header {
		w.Header()[name] = values
	}
	body := d.answer.body
	if d.kind != EndlessBody && (len(body) > 0 || d.answer.status != http.StatusNoContent) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(d.answer.status)
	flush := http.NewResponseController(w).Flush
	switch d.kind {
	case TruncatedBody:
		_, _ = w.Write(body[:len(body)/2])
		_ = flush() // a client that went away cannot be told anyway
		panic(http.ErrAbortHandler)
	case EndlessBody:
		_, err := w.Write(withoutEnd(body))
		for err == nil {
			if err = flush(); err == nil {
				err = wait(r.Context(), d.delay)
			}
			if err == nil {
				_, err = w.Write(chunk)
			}
		}
		panic(http.ErrAbortHandler)
	case SlowBody:
		for piece := range split(body) {
			if flush() != nil || wait(r.Context(), d.delay) != nil {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(piece)
		}
	default:
		_, _ = w.Write(body) // a failed write means that the client is gone
	}
}

// resetConnection makes the client see a connection reset by its peer.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if wrapped, ok := conn.(*rawConn); ok {
		inner = wrapped.Conn
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}

// withoutEnd leaves out the last brace, so that the body is no JSON value yet.
func withoutEnd(body []byte) []byte { return bytes.TrimSuffix(body, []byte("}")) }

// split yields the body in up to pieces parts.
func split(body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		size := max(1, (len(body)+pieces-1)/pieces)
		for len(body) > 0 {
			n := min(size, len(body))
			if !yield(body[:n]) {
				return
			}
			body = body[n:]
		}
	}
}

// errReset is what a client of a socket sees when its connection is reset.
func errReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

// stream is the body of an answer in process.
type stream struct {
	ctx     context.Context
	rest    []byte // what can be read at once
	pending []byte // what follows, a piece after each pause
	piece   int
	pause   time.Duration
	endless bool
	end     error // after everything
	closed  bool
}

// body returns the answer's body for a client in process.
func (d *delivery) body(ctx context.Context) *stream {
	b := &stream{ctx: ctx, rest: d.answer.body, pause: d.delay, end: io.EOF}
	switch d.kind {
	case TruncatedBody:
		b.rest, b.end = b.rest[:len(b.rest)/2], io.ErrUnexpectedEOF
	case EndlessBody:
		b.rest, b.endless = withoutEnd(b.rest), true
	case SlowBody:
		b.rest, b.pending, b.piece = nil, b.rest, max(1, (len(b.rest)+pieces-1)/pieces)
	}
	return b
}

func (b *stream) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.rest) == 0 {
		if !b.endless && len(b.pending) == 0 {
			return 0, b.end
		}
		if err := wait(b.ctx, b.pause); err != nil {
			return 0, err
		}
		if b.endless {
			b.rest = chunk
		} else {
			n := min(b.piece, len(b.pending))
			b.rest, b.pending = b.pending[:n], b.pending[n:]
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *stream) Close() error {
	b.closed = true
	return nil
}
