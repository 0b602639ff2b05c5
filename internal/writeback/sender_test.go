package writeback_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/writeback"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// desk is a target that does as a test says.
type desk struct {
	name, sync string
	answer     func(n writeback.Notice) error

	mu   sync.Mutex
	told []writeback.Notice
	at   []time.Time
}

func (d *desk) Name() string { return d.name }
func (d *desk) Sync() string { return d.sync }

// Writes implements Target.
func (d *desk) Writes() bool { return true }

func (d *desk) Check(context.Context) error { return nil }
func (d *desk) Close() error                { return nil }

func (d *desk) Deliver(_ context.Context, notices []writeback.Notice) []writeback.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	results := make([]writeback.Result, len(notices))
	for i, n := range notices {
		d.told, d.at = append(d.told, n), append(d.at, time.Now())
		results[i].Err = d.answer(n)
		results[i].Wrote = results[i].Err == nil
		if writeback.IsDown(results[i].Err) {
			for j := i + 1; j < len(notices); j++ {
				results[j].Err = results[i].Err
			}
			break
		}
	}
	return results
}

// times returns how often the target was told.
func (d *desk) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.told)
}

// set changes what the answer goes by.
func (d *desk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// office is a sender to one target, over a ledger in memory.
type office struct {
	*desk
	t        *testing.T
	ledger   *memory.Ledger
	sender   *writeback.Sender
	attempts []writeback.Attempt
	log      bytes.Buffer
	stop     func()
}

// newOffice must be called in a bubble.
func newOffice(t *testing.T, answer func(n writeback.Notice) error) *office {
	t.Helper()
	o := &office{desk: &desk{name: "unsub", answer: answer}, t: t, ledger: memory.New()}
	o.sender = writeback.New(o.ledger, []writeback.Target{o.desk}, slog.New(slog.NewTextHandler(&o.log, nil)), func(a writeback.Attempt) { o.attempts = append(o.attempts, a) })
	return o
}

func (o *office) start() {
	ctx, cancel := context.WithCancel(o.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); o.sender.Run(ctx) }()
	o.stop = func() { cancel(); <-ended }
}

// hear takes in an opt-out of a person from topics, and returns after the wake.
func (o *office) hear(person string, topics ...string) {
	o.t.Helper()
	f := ledger.Feedback{Event: "topic.unsubscribed", ContactID: "id of " + person, Email: person, At: time.Now(), Received: time.Now()}
	copy(f.Hash[:], fmt.Sprint(person, topics, time.Now()))
	news := ledger.News{Feedback: f}
	for _, topic := range topics {
		news.Feedback.Topics = append(news.Feedback.Topics, ledger.FeedbackTopic{ID: topic, Name: "name of " + topic})
		news.OptOuts = append(news.OptOuts, ledger.OptOut{ContactID: f.ContactID, Topic: topic, At: f.At})
		news.Deliveries = append(news.Deliveries, ledger.Delivery{Target: "unsub", Person: person, Topic: topic, Due: time.Now()})
	}
	if _, err := o.ledger.TakeIn(o.t.Context(), news); err != nil {
		o.t.Fatal(err)
	}
	o.sender.Wake()
}

func (o *office) count(state ledger.DeliveryState) int {
	o.t.Helper()
	counts, err := o.ledger.DeliveryCounts(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return counts["unsub"][state]
}

// topics returns of whom which topics were told, in order.
func (o *office) topics(person string) (topics []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.told {
		if n.Email == person {
			topics = append(topics, n.Topic)
		}
	}
	return topics
}

// TestTheClockThatNodesShare: whatever this machine's clock says, a node with another finds what is due when it is.
func TestTheClockThatNodesShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("no")
		o := newOffice(t, func(writeback.Notice) error { return refused })
		shared := o.ledger.Now
		o.hear("ada@example.com", "t1")
		o.ledger.SetClock(-10 * time.Minute) // this machine is ahead
		if next, err := o.sender.Pass(t.Context(), "unsub"); err != nil || !next.Equal(time.Now()) || o.times() != 0 {
			t.Errorf("what is not due yet by the shared clock was told %d times, %v, %v", o.times(), next, err)
		}
		time.Sleep(10 * time.Minute)
		next, err := o.sender.Pass(t.Context(), "unsub")
		if err != nil || o.times() != 1 || next.After(shared().Add(5*time.Minute)) || !next.After(shared()) {
			t.Errorf("told %d times, and next at %v by a clock that says %v: %v", o.times(), next, shared(), err)
		}
	})
}

func TestWhatWaitsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, func(writeback.Notice) error { return nil })
		o.hear("ada@example.com", "t1") // before it runs
		o.start()
		synctest.Wait()
		o.hear("ada@example.com", "t2", "t3")
		o.hear("bob@example.com", "t1")
		began := time.Now()
		synctest.Wait()
		if !slices.Equal(o.topics("ada@example.com"), []string{"t1", "t2", "t3"}) || len(o.told) != 4 || time.Since(began) > 0 {
			t.Errorf("told %+v after %v", o.told, time.Since(began))
		}
		if n := o.told[0]; n.TopicName != "name of t1" || n.ContactID != "id of ada@example.com" || n.Event != "topic.unsubscribed" || n.At.IsZero() || n.ID == 0 {
			t.Errorf("told %+v", n)
		}
		o.stop()
		if o.count(ledger.DeliveryDone) != 4 || len(o.attempts) != 4 || o.log.Len() > 0 {
			t.Errorf("%d done, %d attempts, %s", o.count(ledger.DeliveryDone), len(o.attempts), &o.log)
		}
		optOuts, err := o.ledger.OptOuts(t.Context(), []string{"id of ada@example.com"})
		if err != nil || len(optOuts) != 3 || optOuts[0].Written.IsZero() {
			t.Errorf("the opt-outs are %+v, %v", optOuts, err)
		}
	})
}

func TestAPassTellsWhatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answer error
		o := newOffice(t, func(n writeback.Notice) error {
			if n.Email == "ada@example.com" {
				return answer
			}
			return nil
		})
		if next, err := o.sender.Pass(t.Context(), "unsub"); err != nil || !next.IsZero() {
			t.Errorf("with nothing to tell: %s, %v", next, err)
		}
		for i := range 250 {
			o.hear(fmt.Sprintf("person%d@example.com", i), "t1")
		}
		o.hear("ada@example.com", "t1")
		answer = errors.New("refused")
		next, err := o.sender.Pass(t.Context(), "unsub")
		if err != nil || !next.After(time.Now()) || o.count(ledger.DeliveryDone) != 250 || o.times() != 251 {
			t.Errorf("%s, %v: %d done, %d tried", next, err, o.count(ledger.DeliveryDone), o.times())
		}
		time.Sleep(time.Until(next))
		answer = &writeback.DownError{Err: errors.New("no answer")}
		if _, err := o.sender.Pass(t.Context(), "unsub"); !writeback.IsDown(err) || o.times() != 252 {
			t.Errorf("while it is down: %v, %d tried", err, o.times())
		}
		answer = nil
		time.Sleep(time.Hour)
		if next, err := o.sender.Pass(t.Context(), "unsub"); err != nil || !next.IsZero() || o.count(ledger.DeliveryDone) != 251 {
			t.Errorf("when it is up again: %s, %v: %d done", next, err, o.count(ledger.DeliveryDone))
		}
		if _, err := o.sender.Pass(t.Context(), "nobody"); err == nil {
			t.Error("an unknown target is told")
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		o.hear("bob@example.com", "t1")
		if _, err := o.sender.Pass(over, "unsub"); !errors.Is(err, context.Canceled) || o.count(ledger.DeliveryWaiting) != 1 {
			t.Errorf("when it is to end: %v, %d wait", err, o.count(ledger.DeliveryWaiting))
		}
	})
}

// A person's later notices wait for the earlier ones; other people's do not. What is refused is tried ever more rarely, and given up.
func TestARefusalHoldsBackOnePerson(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := true
		o := newOffice(t, func(n writeback.Notice) error {
			if refused && n.Email == "ada@example.com" && n.Topic == "t1" {
				return errors.New("no such topic")
			}
			return nil
		})
		o.start()
		o.hear("ada@example.com", "t1", "t2")
		o.hear("bob@example.com", "t1", "t2")
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(o.topics("bob@example.com"), []string{"t1", "t2"}) || slices.Contains(o.topics("ada@example.com"), "t2") {
			t.Errorf("told %+v", o.told)
		}
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if got := o.topics("ada@example.com"); len(got) != writeback.MaxRefused+1 || got[writeback.MaxRefused] != "t2" {
			t.Errorf("told of %v", got)
		}
		var pauses []time.Duration
		var last time.Time
		for _, a := range o.attempts {
			if a.Delivery.Feedback.Email == "ada@example.com" && a.Err != nil {
				if !last.IsZero() {
					pauses = append(pauses, a.At.Sub(last))
				}
				last = a.At
			}
		}
		if !slices.IsSorted(pauses) || pauses[0] < 5*time.Second || pauses[0] > 16*time.Second || pauses[len(pauses)-1] < time.Hour {
			t.Errorf("pauses %v", pauses)
		}
		if o.count(ledger.DeliveryDead) != 1 || o.count(ledger.DeliveryDone) != 3 || strings.Contains(o.log.String(), "ada@") {
			t.Errorf("%d dead, %d done\n%s", o.count(ledger.DeliveryDead), o.count(ledger.DeliveryDone), &o.log)
		}
		o.set(func() { refused = false })
		if n, err := o.ledger.RetryDeliveries(t.Context(), nil, time.Now()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		time.Sleep(11 * time.Second) // another process asked for it: no wake
		synctest.Wait()
		o.stop()
		if o.count(ledger.DeliveryDead) != 0 || o.count(ledger.DeliveryDone) != 4 {
			t.Errorf("%d dead, %d done", o.count(ledger.DeliveryDead), o.count(ledger.DeliveryDone))
		}
	})
}

// A target that is down for days loses nothing and is not pestered, and one notice that it never answers does not hold back the others.
func TestATargetThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		isDown := true
		o := newOffice(t, func(n writeback.Notice) error {
			if isDown || n.Email == "poison@example.com" {
				return &writeback.DownError{Err: errors.New("no answer")}
			}
			return nil
		})
		o.start()
		o.hear("poison@example.com", "t1")
		for i := range 500 {
			o.hear(fmt.Sprintf("person%d@example.com", i), "t1")
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if n := o.times(); n > 700 || n < 500 {
			t.Errorf("told %d times in two days", n)
		}
		if o.count(ledger.DeliveryWaiting) != 501 {
			t.Errorf("%d wait", o.count(ledger.DeliveryWaiting))
		}
		o.set(func() { isDown = false })
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if o.count(ledger.DeliveryDone) != 500 {
			t.Errorf("%d done", o.count(ledger.DeliveryDone))
		}
		before := o.times()
		time.Sleep(5 * 24 * time.Hour)
		synctest.Wait()
		o.stop()
		if o.count(ledger.DeliveryDead) != 1 || len(o.told)-before > writeback.MaxDown+100 {
			t.Errorf("%d dead after %d more attempts", o.count(ledger.DeliveryDead), len(o.told)-before)
		}
	})
}

// What the ledger knows about the person completes the notice.
func TestANoticeKnowsTheRowsOfThePerson(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, func(writeback.Notice) error { return nil })
		o.desk.sync = "users"
		lock, err := o.ledger.Acquire(t.Context(), ledger.Claim{})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []ledger.Holder{
			{Sync: "users", Entry: &ledger.Entry{Key: "1", ContactID: "c1", Email: "ada@example.com"}},
			{Sync: "users", Entry: &ledger.Entry{Key: "2", ContactID: "c1", Email: "ada@example.com"}},
			{Sync: "users", Entry: &ledger.Entry{Key: "3", ContactID: "c3", Email: "eve@example.com", Identity: "ada@example.com"}},
			{Sync: "people", Entry: &ledger.Entry{Key: "9", ContactID: "c1", Email: "ada@example.com"}},
		} {
			if err := lock.Record(t.Context(), ledger.Record{Sync: h.Sync, Entry: h.Entry}); err != nil {
				t.Fatal(err)
			}
		}
		for i, f := range []ledger.Feedback{
			{Event: "topic.unsubscribed", ContactID: "c1", Topics: []ledger.FeedbackTopic{{ID: "t"}}},
			{Event: "email.bounced", Email: "ada@example.com", Kind: "hard", Detail: "no such user"},
			{Event: "email.complained", Email: "nobody@example.com"},
			{Event: "contact.created", ContactID: "c3", Email: "old@example.com", Kind: "api"},
		} {
			f.Hash[0], f.At, f.Received = byte(i+1), time.Now(), time.Now()
			d := ledger.Delivery{Target: "unsub", Person: f.Email, Due: time.Now()}
			if _, err := o.ledger.TakeIn(t.Context(), ledger.News{Feedback: f, Deliveries: []ledger.Delivery{d}}); err != nil {
				t.Fatal(err)
			}
		}
		o.start()
		synctest.Wait()
		o.stop()
		var got []string
		for _, n := range o.told {
			slices.Sort(n.Keys)
			got = append(got, fmt.Sprint(n.Event, " ", n.Email, " ", n.ContactID, " ", n.Keys, " ", n.Reason))
		}
		slices.Sort(got)
		want := []string{
			"contact.created old@example.com c3 [3] api",
			"email.bounced ada@example.com c1 [1 2] no such user",
			"email.complained nobody@example.com  [] ",
			"topic.unsubscribed ada@example.com c1 [1 2] ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// forgetful is a ledger that cannot record for a while.
type forgetful struct {
	*memory.Ledger
	times atomic.Int32
}

func (f *forgetful) Delivered(ctx context.Context, id int64, at, unwritten time.Time) error {
	if f.times.Add(-1) >= 0 {
		return errors.New("the disk is full")
	}
	return f.Ledger.Delivered(ctx, id, at, unwritten)
}

// What was told and could not be recorded is told no more while the ledger cannot record, and is told again by the next process.
func TestAtLeastOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, func(n writeback.Notice) error {
			if n.Topic == "t3" {
				return errors.New("no such topic")
			}
			return nil
		})
		full := &forgetful{Ledger: o.ledger}
		full.times.Store(1000)
		restart := func() {
			if o.stop != nil {
				o.stop()
			}
			o.sender = writeback.New(full, []writeback.Target{o.desk}, slog.New(slog.NewTextHandler(&o.log, nil)), nil)
			o.start()
		}
		restart()
		o.hear("ada@example.com", "t1")
		for i := range 5 {
			o.hear(fmt.Sprintf("person%d@example.com", i), "t2")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !strings.Contains(o.log.String(), "the disk is full") || len(o.told) > 6 || o.count(ledger.DeliveryDone) != 0 {
			t.Fatalf("told %d times, log %s", len(o.told), &o.log)
		}
		before, first := len(o.told), o.told[0]
		restart()
		time.Sleep(time.Hour)
		synctest.Wait()
		if again := o.told[before:]; len(again) == 0 || len(again) > 6 || again[0].ID != first.ID {
			t.Errorf("the next process told %+v, before %+v", again, first)
		}
		before = len(o.told)
		full.times.Store(0)
		time.Sleep(time.Minute)
		synctest.Wait()
		o.stop()
		if o.count(ledger.DeliveryDone) != 6 || len(o.told) > before+6 {
			t.Errorf("%d done, told %d times more", o.count(ledger.DeliveryDone), len(o.told)-before)
		}
	})
}

// A person without a row is done quietly, after a while in which a run may still create the row.
func TestAPersonWithoutARowIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "app.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE users (id TEXT, newsletter INTEGER); INSERT INTO users VALUES ('1', 1), ('2', 1)"); err != nil {
			t.Fatal(err)
		}
		unsub, err := writeback.NewStatement("unsub", "users", "UPDATE users SET newsletter = 0 WHERE id = :key", writeback.SQLite(db), nil)
		if err != nil {
			t.Fatal(err)
		}
		o := newOffice(t, nil)
		o.sender = writeback.New(o.ledger, []writeback.Target{unsub}, slog.New(slog.NewTextHandler(&o.log, nil)), func(a writeback.Attempt) { o.attempts = append(o.attempts, a) })
		o.start()
		o.hear("nobody@example.com", "t1")
		o.hear("ada@example.com", "t1")
		synctest.Wait()
		lock, err := o.ledger.Acquire(t.Context(), ledger.Claim{})
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.Record(t.Context(), ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: "1", ContactID: "id of ada@example.com"}}); err != nil {
			t.Fatal(err)
		}
		if err := lock.Release(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		o.stop()
		var left int
		if err := db.QueryRow("SELECT sum(newsletter) FROM users").Scan(&left); err != nil || left != 1 {
			t.Errorf("%d rows are left, %v", left, err)
		}
		if o.log.Len() > 0 || o.count(ledger.DeliveryDone) != 2 || len(o.attempts) != 2 || o.attempts[0].Err != nil || o.attempts[1].Err != nil {
			t.Errorf("%d done, attempts %+v, log %s", o.count(ledger.DeliveryDone), o.attempts, &o.log)
		}
	})
}

// A target that was down for hours and then refuses is asked as often as one that was up.
func TestRefusalsAreCountedByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		isDown := true
		o := newOffice(t, func(writeback.Notice) error {
			if isDown {
				return &writeback.DownError{Err: errors.New("no answer")}
			}
			return errors.New("the answer is 500")
		})
		o.start()
		o.hear("ada@example.com", "t1")
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		before := o.times()
		if before <= writeback.MaxRefused {
			t.Fatalf("told %d times", before)
		}
		o.set(func() { isDown = false })
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		o.stop()
		if n := o.times() - before; n != writeback.MaxRefused || o.count(ledger.DeliveryDead) != 1 {
			t.Errorf("%d refusals, %d dead", n, o.count(ledger.DeliveryDead))
		}
		if last := o.attempts[len(o.attempts)-1]; last.Delivery.Refused != writeback.MaxRefused-1 || last.Delivery.Attempts != len(o.told)-1 || !last.Dead {
			t.Errorf("the last attempt is %+v", last)
		}
	})
}

// slow is a target whose batch ends with its context.
type slow struct{ *desk }

func (s slow) Deliver(ctx context.Context, n []writeback.Notice) []writeback.Result {
	<-ctx.Done()
	return s.desk.Deliver(ctx, n)
}

// A stop lets what is in flight go on, but not for ever.
func TestStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, func(writeback.Notice) error { return nil })
		o.sender = writeback.New(o.ledger, []writeback.Target{slow{o.desk}}, nil, nil)
		o.start()
		o.hear("ada@example.com", "t1")
		synctest.Wait()
		began := time.Now()
		o.stop()
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
