package main

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"owlatsync/internal/exitcode"
)

// silent waits until the terminal has shown a text and shows nothing that is typed.
func (term *terminal) silent(t *testing.T, after string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(time.Millisecond) {
		var mode syscall.Termios
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, term.person.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&mode)))
		if errno != 0 {
			t.Fatal(errno)
		}
		term.mu.Lock()
		shown := strings.Contains(term.shown.String(), after)
		term.mu.Unlock()
		if shown && mode.Lflag&syscall.ECHO == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal does not ask for a password, and shows %q", &term.shown)
		}
	}
}

// TestAPasswordIsTypedTwice, and the terminal does not show it.
func TestAPasswordIsTypedTwice(t *testing.T) {
	t.Parallel()
	for again, want := range map[string]exitcode.Code{goodPassword: exitcode.OK, "something else": exitcode.Usage} {
		term := newTerminal(t)
		var out bytes.Buffer
		code := make(chan int, 1)
		go func() {
			code <- run(t.Context(), []string{"account", "ada"}, nil, term.program, &out, term.program)
		}()
		for _, step := range [][2]string{{"Password for ada, at least 12 characters: ", goodPassword}, {"The same again: ", again}} {
			term.silent(t, step[0])
			if _, err := term.person.WriteString(step[1] + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		got := exitcode.Code(<-code)
		_ = term.program.Close()
		term.done.Wait()
		_ = term.person.Close()
		shown := term.shown.String()
		if got != want || strings.Contains(shown, goodPassword) || strings.Contains(shown, again) || (want == exitcode.OK) != strings.Contains(out.String(), "argon2id:") {
			t.Errorf("code %d, the terminal shows %q, and\n%s", got, shown, out.String())
		}
		if want != exitcode.OK && !strings.Contains(shown, "the two passwords differ") {
			t.Errorf("the terminal shows %q", shown)
		}
	}
}

// TestATerminalIsLeftAsItWas: after Ctrl-C the shell shows again what is typed.
func TestATerminalIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	term := newTerminal(t)
	var out bytes.Buffer
	code := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { code <- run(ctx, []string{"account", "ada"}, nil, term.program, &out, term.program) }()
	term.silent(t, "Password for ada")
	cancel()
	if got := exitcode.Code(<-code); got == exitcode.OK || out.Len() > 0 {
		t.Errorf("code %d, %s", got, &out)
	}
	var mode syscall.Termios
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, term.person.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&mode))); errno != 0 || mode.Lflag&syscall.ECHO == 0 {
		t.Errorf("the terminal shows nothing that is typed: %v", errno)
	}
	_, _ = term.person.WriteString("\n") // ends the goroutine that still reads
	_ = term.program.Close()
	term.done.Wait()
	_ = term.person.Close()
}
