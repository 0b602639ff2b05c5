package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrMismatch says that a password was not typed the same twice.
var ErrMismatch = errors.New("the two passwords differ")

// mostSecret is how much of standard input is read for a secret, in bytes.
const mostSecret = 64 << 10

// NewPassword asks for a new password: twice on a terminal, which does not show it, else it is the first line of standard input. It does
// not judge the password. The end of ctx is an error.
func (c *Console) NewPassword(ctx context.Context, prompt string) (string, error) {
	terminal, ok := c.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(c.stdin, mostSecret)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password from standard input: %w", err)
		}
		return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
	}
	first, err := c.secret(ctx, terminal, prompt)
	if err != nil {
		return "", err
	}
	again, err := c.secret(ctx, terminal, "The same again: ")
	if err == nil && first != again {
		err = ErrMismatch
	}
	return first, err
}

// secret asks for a line that the terminal does not show.
func (c *Console) secret(ctx context.Context, terminal *os.File, prompt string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the state of the terminal: %w", err)
	}
	_, _ = fmt.Fprint(c.stderr, prompt)
	type answer struct {
		text []byte
		err  error
	}
	// Reading a terminal cannot be cancelled: after Ctrl-C the goroutine stays until the process ends.
	got := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, before) // else the shell would show nothing that is typed
		_, _ = fmt.Fprintln(c.stderr)
		return "", fmt.Errorf("interrupted, nothing was written: %w", ctx.Err())
	case a := <-got:
		_, _ = fmt.Fprintln(c.stderr)
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", a.err)
		}
		return string(a.text), nil
	}
}
