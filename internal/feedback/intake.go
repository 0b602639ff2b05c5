package feedback

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// firstWithin is how long a body may take to begin, and then it must keep up with slowest, in bytes a second. So the longest has 13
	// seconds, and Owlat waits 30 for the answer.
	firstWithin = 5 * time.Second
	slowest     = 128 << 10
	// smallBody is how much of each body may be read at any time.
	smallBody = 16 << 10
	// largeBodies limits the memory for what of all bodies goes beyond that.
	largeBodies = 32 << 20
	// roomWithin is how long a body waits for room in all, and up to half as long again.
	roomWithin = 6 * time.Second
)

var errNoRoom = errors.New("too many large webhooks come in at once, Owlat is asked to send it again (503)")

// intake is the body of a delivery. It takes room for the bytes that have come, whatever length was announced, and must not come too
// slowly.
type intake struct {
	io.ReadCloser
	ctx    context.Context
	room   *semaphore.Weighted
	conn   *http.ResponseController
	began  time.Time
	read   int64
	taken  int64
	noRoom bool

	// patience is how long it still waits for room. It differs from body to body: many that each hold a part and wait for the rest would
	// otherwise all give up at once, though the parts of some are room for the others.
	patience time.Duration
}

func patience() time.Duration { return roomWithin + rand.N(roomWithin/2) }

// Read implements io.Reader.
func (i *intake) Read(p []byte) (int, error) {
	pace := time.Duration(i.read) * time.Second / slowest
	// Where there is no connection there is no deadline either.
	_ = i.conn.SetReadDeadline(i.began.Add(firstWithin + pace))
	n, err := i.ReadCloser.Read(p)
	i.read += int64(n)
	if more := i.read - smallBody - i.taken; more > 0 {
		waited := time.Now()
		ctx, cancel := context.WithTimeout(i.ctx, i.patience)
		defer cancel()
		if i.room.Acquire(ctx, more) != nil {
			i.noRoom = true
			return 0, errNoRoom
		}
		i.taken += more
		lost := time.Since(waited)
		i.patience -= lost
		i.began = i.began.Add(lost) // which is not the sender's fault
	}
	return n, err
}

func (i *intake) release() { i.room.Release(i.taken) }

// answer answers 503 where there was no room for the body.
type answer struct {
	http.ResponseWriter
	body *intake
}

// WriteHeader implements http.ResponseWriter.
func (a answer) WriteHeader(status int) {
	if a.body.noRoom {
		a.Header().Set("Retry-After", "60")
		status = http.StatusServiceUnavailable
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
