package writeback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"owlatsync/ledger"
)

const (
	batch = 100 // deliveries that are taken from the ledger at once

	firstPause  = 5 * time.Second
	longRefused = time.Hour
	longUnheard = 10 * time.Minute

	// While a target is down, one delivery after another tries it, ever more rarely.
	firstDown = time.Second
	longDown  = 5 * time.Minute

	// lookEvery is how often the ledger is asked for what another process has made due.
	lookEvery = 10 * time.Second
	// inFlight is how long a batch may go on when the sender is to stop.
	inFlight = 10 * time.Second
)

// How many attempts a delivery has before it is dead: about three hours of refusals, or four days of a target that is down. Each is
// counted by itself.
const (
	MaxRefused = 12
	MaxDown    = 600
)

// Box is what a Sender needs of the ledger.
type Box interface {
	ledger.Clock
	DueDeliveries(ctx context.Context, target string, now time.Time, limit int) ([]ledger.Delivery, error)
	NextDelivery(ctx context.Context, target string) (time.Time, error)
	Writes(ctx context.Context, ids []int64, at time.Time) error
	Delivered(ctx context.Context, id int64, at, unwritten time.Time) error
	Undelivered(ctx context.Context, id int64, reason string, refused bool, next time.Time) error
	Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error)
	Sharers(ctx context.Context, contactIDs []string) ([]ledger.Holder, error)
}

// Attempt is what became of one attempt.
type Attempt struct {
	Delivery ledger.Delivery // as it was before
	At       time.Time
	Err      error // nil: it was done
	Down     bool  // the target is down
	Dead     bool  // it is given up
}

// Sender tells targets what waits for them in the ledger.
type Sender struct {
	box     Box
	targets []Target
	log     *slog.Logger
	tell    func(Attempt)
	wake    []chan struct{} // of each target
}

// New returns a sender. told is called after each attempt, from several goroutines; it may be nil.
func New(box Box, targets []Target, log *slog.Logger, told func(Attempt)) *Sender {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if told == nil {
		told = func(Attempt) {}
	}
	s := &Sender{box: box, targets: targets, log: log, tell: told}
	for range targets {
		s.wake = append(s.wake, make(chan struct{}, 1))
	}
	return s
}

// Wake says that there may be new deliveries. It never blocks.
func (s *Sender) Wake() {
	for _, wake := range s.wake {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Run tells the targets until ctx ends; what is in flight then may go on for ten seconds. Each target has its own pace. It closes no
// target.
func (s *Sender) Run(ctx context.Context) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(inFlight, stop) })()
	var loops sync.WaitGroup
	for i, target := range s.targets {
		loops.Go(func() { (&lane{Sender: s, target: target, wake: s.wake[i]}).run(ctx, working) })
	}
	loops.Wait()
}

// Pass tells one target what is due, and returns when there is something to be told next; zero: nothing waits. It is for whoever makes
// passes at times of its own, instead of Run. It fails with a *DownError if the target is down, so that
// whoever makes passes makes the next ones ever more rarely, and returns when ctx ends, once what is in flight is recorded.
func (s *Sender) Pass(ctx context.Context, target string) (next time.Time, err error) {
	i := slices.IndexFunc(s.targets, func(t Target) bool { return t.Name() == target })
	if i < 0 {
		return time.Time{}, fmt.Errorf("there is no write-back %q", target)
	}
	l := &lane{Sender: s, target: s.targets[i]}
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(inFlight, stop) })()
	for ctx.Err() == nil {
		wait, err := l.round(working)
		switch {
		case err != nil:
			return time.Time{}, fmt.Errorf("write-back %q: %w", target, err)
		case l.downs > 0:
			return time.Time{}, &DownError{Err: fmt.Errorf("write-back %q is down; what is for it waits", target)}
		case wait > 0:
			return s.box.NextDelivery(working, target)
		}
	}
	return time.Time{}, context.Cause(ctx)
}

// lane is the way to one target.
type lane struct {
	*Sender
	target Target
	wake   chan struct{}
	downs  int       // attempts since the target was last up
	told   []outcome // that could not be recorded yet
}

// outcome is what became of an attempt.
type outcome struct {
	delivery ledger.Delivery
	result   Result
	at       time.Time
	writes   time.Time // of the Writes before it
}

// run goes on until ctx ends. What it has begun runs under working.
func (l *lane) run(ctx, working context.Context) {
	for ctx.Err() == nil {
		wait, err := l.round(working)
		if err != nil && ctx.Err() == nil {
			l.log.ErrorContext(ctx, "the ledger does not tell what to write back", "write_back", l.target.Name(), "error", err)
			wait = lookEvery
		}
		if wait > 0 {
			l.sleep(ctx, wait)
		}
	}
}

// sleep waits, while the target is up no longer than until the next wake.
func (l *lane) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	wake := l.wake
	if l.downs > 0 {
		wake = nil
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// round tells the target what is due, and returns how long to wait then. It tells nothing while the ledger cannot record what was told
// before, so that a full disk does not repeat it again and again.
func (l *lane) round(ctx context.Context) (time.Duration, error) {
	if err := l.record(ctx); err != nil {
		return 0, err
	}
	limit := batch
	if l.downs > 0 {
		limit = 1
	}
	due, err := l.box.DueDeliveries(ctx, l.target.Name(), l.box.Now(), limit)
	if err != nil {
		return 0, err
	}
	if len(due) == 0 {
		next, err := l.box.NextDelivery(ctx, l.target.Name())
		if err != nil || next.IsZero() {
			return lookEvery, err
		}
		return max(min(next.Sub(l.box.Now()), lookEvery), time.Millisecond), nil
	}
	notices, err := l.notices(ctx, due)
	if err != nil {
		return 0, err
	}
	var writes time.Time
	if l.target.Writes() {
		writes = l.box.Now()
		if err := l.box.Writes(ctx, numbers(due), writes); err != nil {
			return 0, err
		}
	}
	results := l.target.Deliver(ctx, notices)
	if len(results) != len(due) {
		return 0, fmt.Errorf("write-back %q gave %d results for %d deliveries", l.target.Name(), len(results), len(due))
	}
	wasDown := l.downs
	for i, r := range results {
		switch {
		case !IsDown(r.Err):
			l.downs = 0
		case l.downs > wasDown: // it was not tried: another one has found the target down
			continue
		default:
			l.downs = wasDown + 1
		}
		l.told = append(l.told, outcome{due[i], r, l.box.Now(), writes})
	}
	if err := l.record(ctx); err != nil {
		return 0, err
	}
	if l.downs > 0 {
		return doubled(firstDown, longDown, l.downs), nil
	}
	return 0, nil
}

func numbers(due []ledger.Delivery) []int64 {
	ids := make([]int64, len(due))
	for i, d := range due {
		ids[i] = d.ID
	}
	return ids
}

// record notes what became of the attempts that are not recorded yet, in their order.
func (l *lane) record(ctx context.Context) error {
	for len(l.told) > 0 {
		o := l.told[0]
		note := l.failed
		if o.result.Err == nil {
			note = l.done
		}
		if err := note(ctx, o); err != nil {
			return err
		}
		l.told = l.told[1:]
	}
	l.told = nil
	return nil
}

func (l *lane) done(ctx context.Context, o outcome) error {
	unwritten := o.writes
	if o.result.Wrote {
		unwritten = time.Time{}
	}
	if err := l.box.Delivered(ctx, o.delivery.ID, o.at, unwritten); err != nil {
		return err
	}
	l.tell(Attempt{Delivery: o.delivery, At: o.at})
	return nil
}

func (l *lane) failed(ctx context.Context, o outcome) error {
	d, err := o.delivery, o.result.Err
	a := Attempt{Delivery: d, At: o.at, Err: err, Down: IsDown(err)}
	n, most, longest := d.Refused+1, MaxRefused, longRefused
	if a.Down {
		n, most, longest = d.Attempts-d.Refused+1, MaxDown, longUnheard
	}
	waits := errors.Is(err, errNoRow) // a run may be creating the row now, or there is none, and then nothing is to be written
	if waits {
		n, longest = d.Attempts+1, keyAwaited/3
	}
	a.Dead = n >= most && !waits
	next := time.Time{}
	if !a.Dead {
		next = a.At.Add(doubled(firstPause, longest, n))
	}
	if err := l.box.Undelivered(ctx, d.ID, err.Error(), !a.Down && !waits, next); err != nil {
		return err
	}
	if waits {
		return nil
	}
	l.log.WarnContext(ctx, "a write-back failed", "write_back", d.Target, "delivery", d.ID, "event", d.Feedback.Event, "attempt", d.Attempts+1,
		"given_up", a.Dead, "error", err.Error())
	l.tell(a)
	return nil
}

// doubled returns the n-th of pauses that double up to a longest.
func doubled(first, longest time.Duration, n int) time.Duration {
	pause := first
	for range n - 1 {
		if pause *= 2; pause >= longest {
			return longest
		}
	}
	return pause
}

// notices adds to deliveries what the ledger knows about their persons.
func (l *lane) notices(ctx context.Context, due []ledger.Delivery) ([]Notice, error) {
	var ids, addresses []string
	for _, d := range due {
		if d.Feedback.ContactID != "" {
			ids = append(ids, d.Feedback.ContactID)
		} else if d.Feedback.Email != "" {
			addresses = append(addresses, d.Feedback.Email)
		}
	}
	byID, errID := l.box.Sharers(ctx, ids)
	byAddress, errAddress := l.box.Holders(ctx, addresses)
	if err := errors.Join(errID, errAddress); err != nil {
		return nil, err
	}
	notices, now := make([]Notice, len(due)), l.box.Now()
	for i, d := range due {
		n := noticeOf(d)
		n.Told = now
		n.learn(byID, l.target.Sync(), func(e *ledger.Entry) bool { return e.ContactID == d.Feedback.ContactID && e.ContactID != "" })
		if d.Feedback.ContactID == "" {
			n.learn(byAddress, l.target.Sync(), func(e *ledger.Entry) bool { return e.Email == d.Feedback.Email && e.Email != "" })
		}
		notices[i] = n
	}
	return notices, nil
}

func noticeOf(d ledger.Delivery) Notice {
	f := d.Feedback
	n := Notice{ID: d.ID, Event: f.Event, At: f.At, Received: f.Received, Email: f.Email, ContactID: f.ContactID, Topic: d.Topic, Reason: f.Detail}
	if n.Reason == "" {
		n.Reason = f.Kind
	}
	for _, t := range f.Topics {
		if t.ID == d.Topic {
			n.TopicName = t.Name
		}
	}
	return n
}

// learn takes what the person's entries say: the address or the contact that the feedback left out, and the keys of the sync's rows.
func (n *Notice) learn(holders []ledger.Holder, sync string, isTheirs func(*ledger.Entry) bool) {
	for _, h := range holders {
		if !isTheirs(h.Entry) {
			continue
		}
		if n.Email == "" {
			n.Email = h.Entry.Email
		}
		if n.ContactID == "" {
			n.ContactID = h.Entry.ContactID
		}
		if h.Sync == sync && sync != "" {
			n.Keys = append(n.Keys, h.Entry.Key)
		}
	}
}
