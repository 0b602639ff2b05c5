package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"owlatsync/owlat"
)

// terminal is a pseudo-terminal: what a person types into it, and what it shows.
type terminal struct {
	person, program *os.File
	mu              sync.Mutex
	shown           bytes.Buffer
	done            sync.WaitGroup
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	var number, unlock uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("the pseudo-terminal cannot be opened: %v", err)
	}
	term := &terminal{person: person, program: program}
	term.done.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := person.Read(buf)
			term.mu.Lock()
			term.shown.Write(buf[:n])
			term.mu.Unlock()
			if err != nil { // the program's side was closed
				return
			}
		}
	})
	return term
}

// ask runs a command line on a terminal of its own into which the answer is typed, wants its exit code, and returns what
// standard output and the terminal showed.
func (p *place) ask(t *testing.T, code int, answer string, args ...string) (stdout, shown string) {
	t.Helper()
	term := newTerminal(t)
	if _, err := term.person.WriteString(answer); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	got := run(t.Context(), append(args, "--config", p.dir+"/owlat-sync.yaml"), p.env, term.program, &out, term.program)
	_ = term.program.Close()
	term.done.Wait()
	_ = term.person.Close()
	shown = strings.ReplaceAll(term.shown.String(), "\r\n", "\n")
	if got != code {
		t.Fatalf("owlat-sync %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), shown)
	}
	return out.String(), shown
}

func newAskedPlace(t *testing.T) *place {
	p := newPlace(t)
	p.write(t, "users.csv", "id,email,name\n1,ann@example.com,Ann\n2,bob@example.com,Bob\n")
	p.write(t, "owlat-sync.yaml", `owlat: {requests_per_second: 1000}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email, firstName: name}
    topics: [{id: `+p.topic+`}]
`)
	return p
}

func TestAFirstRunAsksOnATerminal(t *testing.T) {
	t.Parallel()
	p := newAskedPlace(t)
	const question = "it will create 2 contacts and 2 memberships.\n" +
		"Each fires the automations on \"contact created\" and \"topic subscribed\", such as welcome mails.\n"
	for _, no := range []string{"\n", "n\n", "later\n", "\x04"} {
		_, shown := p.ask(t, 6, no, "run")
		if !strings.Contains(shown, question) || !strings.Contains(shown, "Go on? [y/N] ") || !strings.Contains(shown, "is held by a guard, nothing was applied") {
			t.Errorf("to %q the terminal shows\n%s", no, shown)
		}
	}
	if _, shown := p.ask(t, 6, "\n", "run", "--limit", "1"); !strings.Contains(shown, "Of these, only the rows asked for are applied now.") {
		t.Errorf("a limited run shows\n%s", shown)
	}
	if len(p.contacts()) != 0 {
		t.Fatalf("a no made contacts: %q", p.contacts())
	}
	p.ask(t, 0, "YES\n", "run")
	if len(p.contacts()) != 2 {
		t.Errorf("a yes made %q", p.contacts())
	}
	if _, shown := p.ask(t, 0, "", "run"); strings.Contains(shown, "?") {
		t.Errorf("the second run asks\n%s", shown)
	}
}

func TestARepairAsksOnATerminal(t *testing.T) {
	t.Parallel()
	p := newAskedPlace(t)
	p.cli(t, 0, "run", "--yes")
	client, err := owlat.NewClient(strings.TrimPrefix(p.env[0], "OWLAT_URL="), strings.TrimPrefix(p.env[1], "OWLAT_API_KEY="))
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if _, err := client.Contacts.Update(t.Context(), "ann@example.com", owlat.UpdateContactRequest{FirstName: new("Somebody")}); err != nil {
		t.Fatal(err)
	}
	writes := p.server.Stats().Writes
	_, shown := p.ask(t, 3, "n\n", "verify", "--repair")
	if !strings.Contains(shown, "Correct the ledger to what Owlat holds, and run the syncs? [y/N] ") {
		t.Errorf("the terminal shows\n%s", shown)
	}
	p.cli(t, 0, "run") // after a no, the ledger does not know of the difference
	if p.server.Stats().Writes != writes {
		t.Error("a no repaired something")
	}
	p.ask(t, 0, "y\n", "verify", "--repair")
	if c, _ := p.server.Contact("ann@example.com"); c.FirstName != "Ann" {
		t.Errorf("a yes left %q", c.FirstName)
	}
	if out, _ := p.ask(t, 0, "", "verify", "--repair"); !strings.Contains(out, "no difference") {
		t.Errorf("afterwards: %s", out)
	}
}

func TestForgettingAsksOnATerminal(t *testing.T) {
	t.Parallel()
	p := newAskedPlace(t)
	p.cli(t, 0, "run", "--yes")
	out, shown := p.ask(t, 0, "n\n", "ledger", "forget", "Ann@Example.com")
	if out != "Nothing was erased.\n" || !strings.Contains(shown, "of ann@example.com? It cannot be undone. [y/N] ") {
		t.Errorf("a no shows\n%s%s", out, shown)
	}
	p.cli(t, 0, "explain", "ann@example.com", "--offline")
	p.ask(t, 0, "y\n", "ledger", "forget", "ann@example.com")
	p.cli(t, 1, "explain", "ann@example.com", "--offline")
}
