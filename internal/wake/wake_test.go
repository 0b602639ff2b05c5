package wake_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"owlatsync/internal/config"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/testdb"
	"owlatsync/internal/turns"
	"owlatsync/internal/wake"
	"owlatsync/source/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a listener whose notices the test sends, in a bubble, where there are no sockets.
type line struct {
	channels []string
	told     chan notify.Told
	ended    bool
}

func (l *line) Listen(ctx context.Context, tell notify.Told) error {
	l.told <- tell
	<-ctx.Done()
	l.ended = true
	return context.Cause(ctx)
}

// cursor is a watcher that the test moves.
type cursor struct {
	mu    sync.Mutex
	moved bool
	err   error
	asked int
}

func (c *cursor) Moved(context.Context) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	moved := c.moved
	c.moved = false
	return moved, c.err
}

func (c *cursor) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func (c *cursor) set(moved bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved, c.err = moved, err
}

// room has a waker with lines and cursors of the test.
type room struct {
	t      *testing.T
	waker  *wake.Waker
	lines  []*line
	cursor *cursor
	opened int
	closed int

	mu    sync.Mutex
	woken []string
	log   strings.Builder
}

func newRoom(t *testing.T) *room {
	r := &room{t: t, cursor: &cursor{}}
	r.waker = wake.New(wake.Options{
		Wake: func(_ context.Context, q turns.Request) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.woken = append(r.woken, fmt.Sprintf("%s %s %v", q.Sync, q.Why, q.Keys))
		},
		Watch: func(config.Sync) (wake.Watcher, func() error, error) {
			r.opened++
			return r.cursor, func() error { r.closed++; return nil }, nil
		},
		Listen: func(_ string, channels []string) (wake.Listener, error) {
			l := &line{channels: channels, told: make(chan notify.Told, 1)}
			r.lines = append(r.lines, l)
			return l, nil
		},
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	return r
}

// taken returns what was asked for since the last time, in order.
func (r *room) taken() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	woken := r.woken
	r.woken = nil
	slices.Sort(woken)
	return woken
}

// woke compares what was asked for since the last time.
func (r *room) woke(want ...string) {
	r.t.Helper()
	if woken := r.taken(); !slices.Equal(woken, want) {
		r.t.Errorf("%s: woke %q, want %q", time.Now().Format("05.000"), woken, want)
	}
}

func listening(name, channel string) config.Sync { return config.Sync{Name: name, Listen: channel} }

func TestNoticesBecomeRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		defer r.waker.Close()
		if err := r.waker.Set([]config.Sync{listening("users", "changed"), listening("members", "changed"), listening("guests", "came")}); err != nil {
			t.Fatal(err)
		}
		if len(r.lines) != 1 || !slices.Equal(r.lines[0].channels, []string{"came", "changed"}) {
			t.Fatalf("the lines %+v", r.lines)
		}
		tell := <-r.lines[0].told
		tell.Listening()
		time.Sleep(50 * time.Millisecond)
		r.woke("guests notified []", "members notified []", "users notified []")

		tell.Notice("came", "17")
		r.woke()
		time.Sleep(49 * time.Millisecond)
		r.woke()
		tell.Notice("came", "[18, 17]")
		time.Sleep(49 * time.Millisecond)
		r.woke()
		time.Sleep(time.Millisecond)
		r.woke("guests notified [17 18]")

		for range 20 { // steady fire
			tell.Notice("came", "1")
			time.Sleep(40 * time.Millisecond)
		}
		time.Sleep(time.Second)
		r.woke("guests notified [1]", "guests notified [1]", "guests notified [1]")

		tell.Notice("came", "17")
		tell.Notice("came", "")
		tell.Notice("came", "18")
		time.Sleep(50 * time.Millisecond)
		r.woke("guests notified []")

		for key := range 100 {
			tell.Notice("came", fmt.Sprint(key))
		}
		time.Sleep(50 * time.Millisecond)
		if woken := r.taken(); len(woken) != 1 || len(strings.Fields(woken[0])) != 2+100 {
			t.Errorf("a hundred keys: %q", woken)
		}
		for key := range 101 {
			tell.Notice("came", fmt.Sprint(key))
		}
		time.Sleep(50 * time.Millisecond)
		r.woke("guests notified []")

		tell.Lost(errors.New("gone"), time.Second)
		tell.Lost(errors.New("gone"), 2*time.Second)
		time.Sleep(time.Second)
		r.woke()
		tell.Listening()
		tell.Notice("came", "5")
		time.Sleep(50 * time.Millisecond)
		r.woke("guests notified []", "members notified []", "users notified []")
		if n := strings.Count(r.log.String(), "cannot be listened to"); n != 1 || !strings.Contains(r.log.String(), "listened to again") {
			t.Errorf("the log: %s", &r.log)
		}

		tell.Notice("came", "6") // and the waker ends before it is quiet
		r.waker.Close()
		time.Sleep(time.Second)
		r.woke()
		if !r.lines[0].ended {
			t.Error("the line goes on")
		}
	})
}

// TestKeysOfNoRow: everything is read after keys that no row has, at most once a minute, and not after the end.
func TestKeysOfNoRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		defer r.waker.Close()
		if err := r.waker.Set([]config.Sync{listening("users", "changed"), listening("guests", "came")}); err != nil {
			t.Fatal(err)
		}
		<-r.lines[0].told
		r.waker.Astray("users")
		time.Sleep(quiet)
		r.woke("users notified []")
		for range 10 {
			r.waker.Astray("users")
			time.Sleep(time.Second)
		}
		r.woke()
		r.waker.Astray("guests") // each has its own pause
		time.Sleep(quiet)
		r.woke("guests notified []")
		time.Sleep(50 * time.Second)
		r.woke("users notified []")
		time.Sleep(time.Hour)
		r.woke()
		r.waker.Astray("users")
		r.waker.Astray("leads") // it does not listen
		time.Sleep(quiet)
		r.woke("users notified []")
		r.waker.Astray("users")
		if err := r.waker.Set([]config.Sync{listening("guests", "came")}); err != nil {
			t.Fatal(err)
		}
		r.waker.Astray("users")
		time.Sleep(time.Hour)
		r.woke()
	})
}

// quiet is longer than a batch waits for more.
const quiet = 300 * time.Millisecond

// TestSetKeepsWhatIsAsBefore takes over configurations.
func TestSetKeepsWhatIsAsBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		defer r.waker.Close()
		polled := config.Sync{Name: "polled", Poll: time.Second}
		set := func(syncs ...config.Sync) {
			t.Helper()
			if err := r.waker.Set(syncs); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		set(listening("users", "changed"), polled)
		set(listening("users", "changed"), polled, config.Sync{Name: "plain"})
		if len(r.lines) != 2 || r.lines[0].ended || r.opened != 1 || r.closed != 0 {
			t.Errorf("the same syncs begin anew: %d cursors opened", r.opened)
		}
		polled.Poll = 2 * time.Second
		set(listening("users", "other"), polled)
		if !r.lines[0].ended || r.opened != 2 || r.closed != 1 {
			t.Errorf("changed syncs do not begin anew: %d cursors opened, %d closed", r.opened, r.closed)
		}
		set()
		if !r.lines[2].ended || r.closed != 2 {
			t.Error("something goes on")
		}
		r.woke()
	})
}

func TestCursorsAreAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		defer r.waker.Close()
		r.cursor.set(true, nil)
		if err := r.waker.Set([]config.Sync{{Name: "users", Poll: 2 * time.Second}}); err != nil {
			t.Fatal(err)
		}
		r.woke("users moved []")
		time.Sleep(3 * time.Second)
		r.woke()
		r.cursor.set(true, nil)
		time.Sleep(time.Second)
		r.woke("users moved []")
		r.cursor.set(false, errors.New("the server is away"))
		synctest.Wait()
		asked := r.cursor.times()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := r.cursor.times() - asked; n < 10 || n > 20 { // 2, 4, 8, 16, 32 seconds, and then each minute
			t.Errorf("asked %d times in ten minutes", n)
		}
		r.cursor.set(true, nil)
		time.Sleep(time.Minute)
		r.woke("users moved []")
		r.cursor.set(true, nil)
		time.Sleep(2 * time.Second)
		r.woke("users moved []")
		if log := r.log.String(); strings.Count(log, "level=WARN") != 1 || strings.Count(log, "can be asked again") != 1 {
			t.Errorf("the log: %s", log)
		}
	})
}

// TestAServerWakes listens to a real server.
func TestAServerWakes(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	target, err := sourcedsn.Parse(dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan turns.Request, 10)
	w := wake.New(wake.Options{Wake: func(_ context.Context, r turns.Request) { woken <- r }, Logger: slog.New(slog.DiscardHandler)})
	defer w.Close()
	if err := w.Set([]config.Sync{{Name: "users", Target: target, Listen: "changed"}}); err != nil {
		t.Fatal(err)
	}
	if r := <-woken; r.Sync != "users" || r.Keys != nil {
		t.Errorf("at first: %+v", r)
	}
	db, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	send := func(statement string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), statement).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	send("NOTIFY changed, '4, 5'")
	if r := <-woken; !slices.Equal(r.Keys, []string{"4", "5"}) {
		t.Errorf("the notice became %+v", r)
	}
	if err := w.Set([]config.Sync{{Name: "users", Target: target, Listen: strings.Repeat("x", 64)}}); err == nil || !strings.Contains(err.Error(), `sync "users"`) {
		t.Errorf("a channel that is none: %v", err)
	}
	send("NOTIFY changed")
	if r := <-woken; r.Keys != nil {
		t.Errorf("after a refused configuration: %+v", r)
	}
}
