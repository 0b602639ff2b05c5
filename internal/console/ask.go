package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Asker asks a person on a terminal. A nil Asker means that there is nobody to ask.
type Asker struct {
	ctx context.Context
	in  *bufio.Reader
	out io.Writer
}

// Asker returns nil if nobody can be asked or the answer is always yes. Its questions end with ctx.
func (c *Console) Asker(ctx context.Context) *Asker {
	if c.Yes || !c.interactive() {
		return nil
	}
	return NewAsker(ctx, c.stdin, c.stderr)
}

// NewAsker returns an asker that reads answers from in and writes questions to out.
func NewAsker(ctx context.Context, in io.Reader, out io.Writer) *Asker {
	return &Asker{ctx: ctx, in: bufio.NewReader(in), out: out}
}

// Line asks for one line and returns it without the blanks around it. The end of the input is an empty answer; the end of ctx is an
// error.
func (q *Asker) Line(format string, args ...any) (string, error) {
	_, _ = fmt.Fprintf(q.out, format, args...)
	type answer struct {
		text string
		err  error
	}
	// Reading a terminal cannot be cancelled: after Ctrl-C the goroutine stays until the process ends.
	got := make(chan answer, 1)
	go func() {
		text, err := q.in.ReadString('\n')
		got <- answer{text, err}
	}()
	select {
	case <-q.ctx.Done():
		return "", fmt.Errorf("interrupted, nothing was written: %w", q.ctx.Err())
	case a := <-got:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", a.err)
		}
		return strings.TrimSpace(a.text), nil
	}
}

// Say tells the person something.
func (q *Asker) Say(format string, args ...any) { _, _ = fmt.Fprintf(q.out, format, args...) }

// Confirm asks a question. Every answer other than yes is a no.
func (q *Asker) Confirm(question string) (bool, error) {
	answer, err := q.Line("%s [y/N] ", question)
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", nil
}
