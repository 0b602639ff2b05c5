// Package console is the program's side of a terminal: standard output as text or as lines of JSON, remarks, errors and the log on
// standard error beside a display, questions, and the signals of Ctrl-C. It knows no command.
package console

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/term"

	"owlatsync/internal/words"
)

// Console has the streams of one command. JSON and Yes may be set until the first use.
type Console struct {
	JSON bool // standard output is JSON for machines; there are no questions and remarks
	Yes  bool // the answer to every question is yes

	// Advice completes the commands that a text advises; nil: they stay as they are.
	Advice func(text string) string

	stdin  io.Reader
	out    output
	stderr io.Writer
	screen screen // standard error beside a display

	mu       sync.Mutex
	softStop *SoftStop // set while the first signal asks for a stop, not an abort
}

// New returns a console of the three streams.
func New(stdin io.Reader, stdout, stderr io.Writer) *Console {
	c := &Console{stdin: stdin, out: output{w: stdout}, stderr: stderr}
	c.screen.w = stderr
	return c
}

// output is standard output. It keeps the first error, because an output that cannot be written is no reason to stop a command
// half-way.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		err = fmt.Errorf("write the output: %w", err)
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// In returns standard input.
func (c *Console) In() io.Reader { return c.stdin }

// Err returns standard error. A display that is drawn there does not step aside for it.
func (c *Console) Err() io.Writer { return c.stderr }

// Out returns standard output. Unwritten tells what could not be written to it. Only one goroutine at a time may use it.
func (c *Console) Out() io.Writer { return &c.out }

// Unwritten returns the first error of writing to standard output.
func (c *Console) Unwritten() error { return c.out.err }

// Printf writes to standard output.
func (c *Console) Printf(format string, args ...any) {
	_, _ = io.WriteString(&c.out, c.advise(fmt.Sprintf(format, args...)))
}

func (c *Console) advise(text string) string {
	if c.Advice == nil {
		return text
	}
	return c.Advice(text)
}

// Tell is Printf for text that JSON leaves out.
func (c *Console) Tell(format string, args ...any) {
	if !c.JSON {
		c.Printf(format, args...)
	}
}

// Notef writes a remark for a person to standard error; with JSON it is left out.
func (c *Console) Notef(format string, args ...any) {
	if !c.JSON {
		_, _ = io.WriteString(c.stderr, c.advise(fmt.Sprintf(format, args...)))
	}
}

// PrintJSON writes v as one line to standard output.
func (c *Console) PrintJSON(v any) error {
	_, err := c.out.Write(words.JSON(v))
	return err
}

// Logger returns a log on standard error for messages of at least this level. A display there steps aside for its lines.
func (c *Console) Logger(level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if c.JSON {
		return slog.New(slog.NewJSONHandler(&c.screen, opts))
	}
	return slog.New(slog.NewTextHandler(&c.screen, opts))
}

// interactive reports whether a person can be asked: standard input and standard error are terminals and JSON is off.
func (c *Console) interactive() bool {
	return !c.JSON && isTerminal(c.stdin) && isTerminal(c.stderr)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
