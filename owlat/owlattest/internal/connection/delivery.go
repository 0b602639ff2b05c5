// Package connection brings requests to an [Exchanger] and its answers back, over a socket or in process, and shows a client
// what faults do to an answer: resets, and bodies that are cut off, slow or endless. Its listener lets request targets
// through that net/http would refuse.
package connection

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/faults"
)

// Exchanger answers requests.
type Exchanger interface {
	// Exchange answers one request. target is what stood on the request line, authorization the header of that name.
	Exchange(ctx context.Context, method, target, authorization string, body []byte) *Delivery
}

// Delivery is how one request ends: an answer sent as it is or spoilt by a fault, a reset, or nobody waiting any more.
type Delivery struct {
	Answer *answer.Answer
	Kind   faults.Kind // what spoils the answer
	Delay  time.Duration
	Gone   bool // the client did not wait
}

// Status returns the status that reaches the client, or 0 where no answer does.
func (d *Delivery) Status() int {
	if d.Gone || d.reset() {
		return 0
	}
	return d.Answer.Status
}

func (d *Delivery) reset() bool { return d.Kind == faults.ResetBefore || d.Kind == faults.ResetAfter }

// Serve answers a request that came over a socket.
func Serve(x Exchanger, w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the body broke off: there is nothing to judge
	}
	x.Exchange(r.Context(), r.Method, requestTarget(r), r.Header.Get("Authorization"), body).serve(w, r)
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	return io.ReadAll(r.Body)
}

// serve sends the answer over a socket.
func (d *Delivery) serve(w http.ResponseWriter, r *http.Request) {
	if d.Gone {
		panic(http.ErrAbortHandler)
	}
	if d.reset() {
		resetConnection(w)
	}
	for name, values := range d.Answer.Header {
		w.Header()[name] = values
	}
	body := d.Answer.Body
	if d.Kind != faults.EndlessBody && (len(body) > 0 || d.Answer.Status != http.StatusNoContent) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(d.Answer.Status)
	flush := http.NewResponseController(w).Flush
	switch d.Kind {
	case faults.TruncatedBody:
		_, _ = w.Write(body[:len(body)/2])
		_ = flush() // a client that went away cannot be told anyway
		panic(http.ErrAbortHandler)
	case faults.EndlessBody:
		_, err := w.Write(withoutEnd(body))
		for err == nil {
			if err = flush(); err == nil {
				err = Wait(r.Context(), d.Delay)
			}
			if err == nil {
				_, err = w.Write(chunk)
			}
		}
		panic(http.ErrAbortHandler)
	case faults.SlowBody:
		for piece := range split(body) {
			if flush() != nil || Wait(r.Context(), d.Delay) != nil {
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
