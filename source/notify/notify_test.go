package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"owlatsync/internal/testdb"
	"owlatsync/source/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard is a listener at work.
type heard struct {
	told chan string
	end  context.CancelFunc
	done chan error
}

func listen(t *testing.T, l *notify.Listener) *heard {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h := &heard{make(chan string, 1000), cancel, make(chan error, 1)}
	go func() {
		h.done <- l.Listen(ctx, notify.Told{
			Listening: func() { h.told <- "listening" },
			Notice:    func(channel, payload string) { h.told <- channel + ": " + payload },
			Lost:      func(err error, pause time.Duration) { h.told <- fmt.Sprintf("lost, again after %s: %v", pause, err) },
		})
	}()
	t.Cleanup(h.stop)
	return h
}

func (h *heard) stop() {
	h.end()
	if h.done != nil {
		<-h.done
		h.done = nil
	}
}

// next waits for what is told next.
func (h *heard) next(t *testing.T, want string) string {
	t.Helper()
	select {
	case got := <-h.told:
		if !strings.HasPrefix(got, want) {
			t.Fatalf("heard %q, want %q", got, want)
		}
		return got
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing is heard, want %q", want)
	}
	return ""
}

func server(t *testing.T) (dsn string, do func(string)) {
	dsn = testdb.Postgres(t)
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return dsn, func(statement string) {
		t.Helper()
		if _, err := conn.Exec(context.Background(), statement).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestListen hears what is sent, on channels of strange names, and goes on after its connection was ended.
func TestListen(t *testing.T) {
	t.Parallel()
	dsn, do := server(t)
	l := must(notify.New(dsn, "users_changed", `Müll "x"; --`, "users_changed"))
	l.AskEvery(20 * time.Millisecond)
	h := listen(t, l)
	h.next(t, "listening")
	do("NOTIFY users_changed")
	h.next(t, "users_changed: ")
	do("SELECT pg_notify('users_changed', '17'), pg_notify('other', 'x'), pg_notify('Müll \"x\"; --', '[1, 2]')")
	h.next(t, "users_changed: 17")
	h.next(t, `Müll "x"; --: [1, 2]`)
	do("SELECT pg_sleep(0.1)") // several questions whether the server is there
	do("BEGIN; NOTIFY users_changed, 'a'; NOTIFY users_changed, 'a'; NOTIFY users_changed, 'b'; COMMIT")
	h.next(t, "users_changed: a")
	h.next(t, "users_changed: b")
	do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	h.next(t, "lost, again after 250ms: listen to PostgreSQL: ")
	h.next(t, "listening")
	do("NOTIFY users_changed, 'c'")
	h.next(t, "users_changed: c")
	h.end()
	if err := <-h.done; !errors.Is(err, context.Canceled) {
		t.Errorf("the end is %v", err)
	}
	h.done = nil
}

// TestListenWhereNobodyAnswers waits longer each time.
func TestListenWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	h := listen(t, must(notify.New("postgres://sync:hunter22@127.0.0.1:1/shop", "users")))
	for _, pause := range []string{"250ms", "500ms"} {
		if said := h.next(t, "lost, again after "+pause+": connect to PostgreSQL: "); strings.Contains(said, "hunter22") {
			t.Errorf("the error tells the password: %s", said)
		}
	}
	h.stop()
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, channels := range [][]string{nil, {""}, {strings.Repeat("x", 64)}, {"a\x00b"}, {"fine", ""}} {
		if _, err := notify.New("postgres://127.0.0.1/shop", channels...); err == nil {
			t.Errorf("%q are channels", channels)
		}
	}
	if _, err := notify.New("postgres://u:hunter22@[::1/shop", "users"); err == nil || strings.Contains(err.Error(), "hunter22") {
		t.Errorf("the error of a DSN that is none: %v", err)
	}
}
