package connection

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"owlatsync/owlat/owlattest/internal/faults"
)

// chunk is what an endless body sends at a time; white space, so that a JSON parser keeps waiting.
var chunk = bytes.Repeat([]byte(" "), 32<<10)

// pieces of a slow body.
const pieces = 10

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
func (d *Delivery) body(ctx context.Context) *stream {
	b := &stream{ctx: ctx, rest: d.Answer.Body, pause: d.Delay, end: io.EOF}
	switch d.Kind {
	case faults.TruncatedBody:
		b.rest, b.end = b.rest[:len(b.rest)/2], io.ErrUnexpectedEOF
	case faults.EndlessBody:
		b.rest, b.endless = withoutEnd(b.rest), true
	case faults.SlowBody:
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
		if err := Wait(b.ctx, b.pause); err != nil {
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

// Wait pauses for d or until ctx ends, and returns ctx's error in that case.
func Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
