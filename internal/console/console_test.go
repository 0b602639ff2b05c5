package console_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"owlatsync/internal/console"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
)

func TestErrorsArePrintedOnceEach(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	c := console.New(strings.NewReader(""), io.Discard, &stderr)
	c.PrintError(problem.Several{
		problem.Hint(errors.New(`sync "a": no`), "do %s", "this"),
		problem.Told(exitcode.FailedRows),
		errors.New(`sync "c": not either`),
	}.Err())
	want := "owlat-sync: sync \"a\": no\n  hint: do this\nowlat-sync: sync \"c\": not either\n"
	if stderr.String() != want {
		t.Errorf("got:\n%swant:\n%s", stderr.String(), want)
	}
}

func TestErrorsAsJSON(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	c := console.New(nil, io.Discard, &stderr)
	c.JSON = true
	c.PrintError(problem.Usage(problem.Hint(errors.New("a <b>\x1b"), "do this")))
	want := `{"type":"error","exit_code":2,"message":"a <b>\u001b","hint":"do this"}` + "\n"
	if stderr.String() != want {
		t.Errorf("got %swant %s", stderr.String(), want)
	}
}

func TestFurtherLinesOfAnErrorAreIndented(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	console.New(nil, io.Discard, &stderr).PrintError(errors.New("one\ntwo\n  three\x1b[2J"))
	if want := "owlat-sync: one\n  two\n  three\\x1b[2J\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
}

// full is an output to which nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutputThatCannotBeWrittenIsRemembered(t *testing.T) {
	t.Parallel()
	c := console.New(nil, full{}, io.Discard)
	if c.Unwritten() != nil {
		t.Error("nothing was written yet")
	}
	c.Printf("one")
	if err := c.PrintJSON(1); err == nil || err.Error() != "write the output: no space left on device" {
		t.Errorf("JSON: %v", err)
	}
	if err := c.Unwritten(); err == nil || err.Error() != "write the output: no space left on device" {
		t.Errorf("remembered %v", err)
	}
}

func TestJSONKeepsRemarksAndTextAway(t *testing.T) {
	t.Parallel()
	for _, json := range []bool{false, true} {
		var out, errOut bytes.Buffer
		c := console.New(nil, &out, &errOut)
		c.JSON = json
		c.Tell("text\n")
		c.Notef("note\n")
		c.Logger(slog.LevelWarn).Info("unheard")
		if silent := out.Len()+errOut.Len() == 0; silent != json {
			t.Errorf("JSON %v: %q, %q", json, &out, &errOut)
		}
		c.Logger(slog.LevelWarn).Warn("heard")
		if logged := errOut.String(); strings.Contains(logged, `"msg":"heard"`) != json || !strings.Contains(logged, "heard") {
			t.Errorf("JSON %v: log %q", json, logged)
		}
	}
}

func TestConfirmTakesEverythingButAYesForANo(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]bool{"y\n": true, " YES \n": true, "yes": true, "\n": false, "": false, "n\n": false, "yeah\n": false} {
		var shown strings.Builder
		got, err := console.NewAsker(t.Context(), strings.NewReader(input), &shown).Confirm("Go on?")
		if err != nil || got != want || shown.String() != "Go on? [y/N] " {
			t.Errorf("%q: %v, %v, shown %q", input, got, err, shown.String())
		}
	}
}

func TestNobodyIsAskedWithoutATerminal(t *testing.T) {
	t.Parallel()
	if console.New(strings.NewReader("y\n"), io.Discard, io.Discard).Asker(t.Context()) != nil {
		t.Error("a pipe was asked")
	}
}

// TestInterruptedWhileAsking shows that Ctrl-C ends a question that nobody answers.
func TestInterruptedWhileAsking(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	silent, writer := io.Pipe()
	defer writer.Close()
	cancel()
	if _, err := console.NewAsker(ctx, silent, io.Discard).Line("? "); !errors.Is(err, context.Canceled) {
		t.Errorf("the question ended with %v", err)
	}
}
