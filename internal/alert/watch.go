package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/vitals"
)

const (
	// lookEvery is how often a watcher looks without being nudged.
	lookEvery = time.Minute
	// settle is the shortest time between two looks.
	settle = 2 * time.Second
	// calm is how long something must have been over before that is told, so that what comes and goes is told once.
	calm = 5 * time.Minute
	// remindEvery is how often is told what stays wrong.
	remindEvery = 24 * time.Hour
	// giveUpAfter is how long a message is worth being delivered.
	giveUpAfter = 24 * time.Hour
	// firstPause and lastPause bound the time between two attempts.
	firstPause, lastPause = 30 * time.Second, 30 * time.Minute
	// mostWaiting is how many messages wait for one channel; older ones go first.
	mostWaiting = 50
	// roundWithin is how long one round of deliveries may take.
	roundWithin = time.Minute
)

// Options are what a watcher works with.
type Options struct {
	// Signs tell how the service is doing.
	Signs interface {
		Now() time.Time // by the ledger's clock
		Read(ctx context.Context, now time.Time) (vitals.Signs, error)
	}
	// Silence returns why webhooks of Owlat seem not to arrive, empty if they do. It may be nil.
	Silence func(context.Context) (string, error)
	// Mistake returns why a new configuration is not taken over, empty if it is. It may be nil.
	Mistake func() string
	// Closed returns why the deployment is not open, empty if it is. It may be nil.
	Closed func() string
	Path   string // of the file that keeps what was told, unless there is a Store
	Store  Store
	Log    *slog.Logger
	// Deployment is the one of several that it is about; empty: the only one.
	Deployment string
	// Told is called after each attempt to deliver, with the name of the subscription. It may be nil.
	Told func(name string, m Message, err error)
}

// closed tells that the deployment is not open, if it is not.
func (o Options) closed() []Incident {
	if o.Closed == nil {
		return nil
	}
	why := o.Closed()
	if why == "" {
		return nil
	}
	return []Incident{closed(why)}
}

// Watcher tells incidents to channels, each once, and when they are over. Its methods are safe for concurrent use.
type Watcher struct {
	o     Options
	nudge chan struct{}

	mu   sync.Mutex // of what Set replaces
	subs []Subscription
	link func(Incident) string // nil: Set was not called yet

	record record // of the goroutine of Run alone
	saved  bool   // the last save worked, so that the next failure is worth a line
}

// NewWatcher returns a watcher without channels; see Set. A file that cannot be read is logged, and its alerts are told again.
func NewWatcher(o Options) *Watcher {
	if o.Store == nil {
		o.Store = file(o.Path)
	}
	w := &Watcher{o: o, nudge: make(chan struct{}, 1), saved: true}
	var err error
	if w.record, err = load(context.Background(), o.Store); err != nil {
		o.Log.Warn("alerts", "error", err)
	}
	return w
}

// Set replaces the channels. Url is where people reach the service, empty if that is not known. What waits for a channel that is
// gone is dropped.
func (w *Watcher) Set(subs []Subscription, url string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subs = slices.Clone(subs)
	w.link = func(i Incident) string { return linkOf(url, w.o.Deployment, i) }
	w.Nudge()
}

func linkOf(url, deployment string, i Incident) string {
	if url == "" {
		return ""
	}
	url = strings.TrimRight(url, "/") + "/api/v1"
	if deployment != "" {
		url += "/deployments/" + deployment
	}
	switch {
	case i.Run != 0:
		return fmt.Sprintf("%s/runs/%d", url, i.Run)
	case i.Sync != "":
		return url + "/syncs/" + i.Sync
	case i.Kind == config.AlertSilent:
		return url + "/feedback"
	case i.Kind == config.AlertWriteBack:
		return url + "/write-backs"
	}
	return url + "/status"
}

// Nudge makes the watcher look at once, because something happened. It never blocks.
func (w *Watcher) Nudge() {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// Run watches until ctx ends. It may be called once. A message in flight when ctx ends is cut off and told by the next process.
func (w *Watcher) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.nudge:
			if soon := time.Until(looked.Add(settle)); soon > 0 && !looked.IsZero() {
				timer.Reset(soon) // one look for much that happens at once
				continue
			}
		case <-timer.C:
		}
		timer.Reset(w.Round(ctx))
		looked = time.Now()
	}
}

// now is the time by which everything is dated that the record keeps, because another node may go on with it.
func (w *Watcher) now() time.Time { return w.o.Signs.Now().Round(0) }

// Round looks once, delivers what is due, and returns when to look next. It is for whoever does not let the watcher Run.
func (w *Watcher) Round(ctx context.Context) time.Duration {
	w.mu.Lock()
	subs, link := w.subs, w.link
	w.mu.Unlock()
	if link == nil {
		return lookEvery
	}
	now := w.now()
	changed := w.look(ctx, now, subs, link)
	changed = w.drop(now, subs) || changed
	if changed {
		w.save(ctx) // before anything is sent: a process that is killed meanwhile sends it again rather than never
	}
	if w.deliver(ctx, subs) {
		w.save(ctx)
	}
	wait := lookEvery
	for _, m := range w.record.Waiting {
		wait = min(wait, max(time.Second, m.Next.Sub(w.now())))
	}
	return wait
}

func (w *Watcher) save(ctx context.Context) {
	err := w.record.save(context.WithoutCancel(ctx), w.o.Store)
	if err != nil && w.saved {
		w.o.Log.Warn("alerts", "error", err)
	}
	w.saved = err == nil
}

// look compares what is wrong with what was told, and reports whether there is something to tell or to remember.
func (w *Watcher) look(ctx context.Context, now time.Time, subs []Subscription, link func(Incident) string) (changed bool) {
	if len(subs) == 0 {
		return false
	}
	signs, err := w.o.Signs.Read(ctx, now)
	var silence, mistake string
	if w.o.Mistake != nil {
		mistake = w.o.Mistake()
	}
	if err == nil && w.o.Silence != nil {
		silence, err = w.o.Silence(ctx)
	}
	if err != nil { // what cannot be read is neither wrong nor over
		if ctx.Err() == nil {
			w.o.Log.Warn("alerts: look how the service is doing", "error", err)
		}
		return false
	}
	wrong := make(map[string]bool)
	for _, i := range append(Incidents(signs, silence, mistake), w.o.closed()...) {
		i = i.of(w.o.Deployment)
		wrong[i.key()] = true
		changed = w.meet(i, now, subs, link) || changed
	}
	for key, o := range w.record.Open {
		if wrong[key] {
			continue
		}
		switch {
		case o.Gone.IsZero():
			o.Gone, changed = now, true
		case now.Sub(o.Gone) >= calm || now.Before(o.Gone):
			delete(w.record.Open, key)
			if changed = true; configured(signs, o.Message.Sync) {
				w.over(o, now, subs)
			}
		}
	}
	return changed
}

// configured reports whether the sync is still there: that one is gone is no recovery.
func configured(signs vitals.Signs, sync string) bool {
	return sync == "" || slices.ContainsFunc(signs.Syncs, func(s vitals.Sync) bool { return s.Name == sync })
}

// meet takes in something that is wrong, and tells it unless that was done.
func (w *Watcher) meet(i Incident, now time.Time, subs []Subscription, link func(Incident) string) (changed bool) {
	o := w.record.Open[i.key()]
	back := o != nil && !o.Gone.IsZero()
	if back {
		o.Gone = time.Time{}
	}
	if o != nil && o.State == i.State && now.Sub(o.Told) < remindEvery && !now.Before(o.Told) {
		return back
	}
	m := Message{
		Kind: i.Kind, Deployment: w.o.Deployment, Sync: i.Sync, Run: i.Run, At: now.UTC().Truncate(time.Millisecond), Title: i.Title, Text: i.Text, Do: i.Do, Link: link(i),
	}
	if o == nil {
		m.ID = i.Kind
		for _, about := range []string{w.o.Deployment, i.About} {
			if about != "" {
				m.ID += "-" + plain(about)
			}
		}
		m.ID += fmt.Sprintf("-%x", now.UnixMilli())
		o = &open{Since: now}
		w.record.Open[i.key()] = o
	} else {
		m.ID = o.Message.ID
		if o.State == i.State {
			m.Title = "Still: " + m.Title
		}
	}
	o.Message, o.State, o.OverText, o.Told = m, i.State, i.Over, now
	for _, s := range subs {
		if slices.Contains(s.On, i.Kind) {
			w.enqueue(s, m, now)
		}
	}
	return true
}

// plain makes a name fit for an id in a header.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, name)
}

// over tells that what was told is over, to those whom it reached.
func (w *Watcher) over(o *open, now time.Time, subs []Subscription) {
	m := o.Message
	m.Over, m.At, m.Title, m.Do = true, now.UTC().Truncate(time.Millisecond), o.OverText, ""
	m.Text = fmt.Sprintf("It was so for %s.", ago(o.Gone.Sub(o.Since)))
	// What has not been delivered yet is not worth it any more.
	w.record.Waiting = slices.DeleteFunc(w.record.Waiting, func(e *waiting) bool { return e.Message.ID == m.ID })
	for _, s := range subs {
		if slices.Contains(o.To, s.ID) && slices.Contains(s.On, config.AlertRecovery) {
			w.enqueue(s, m, now)
		}
	}
}

func (w *Watcher) enqueue(s Subscription, m Message, now time.Time) {
	w.record.Waiting = append(w.record.Waiting, &waiting{To: s.ID, Message: m, Since: now, Next: now})
}

// drop takes away what is not worth delivering any more, and reports whether something was.
func (w *Watcher) drop(now time.Time, subs []Subscription) bool {
	before := len(w.record.Waiting)
	count := make(map[string]int)
	for _, e := range w.record.Waiting {
		count[e.To]++
	}
	w.record.Waiting = slices.DeleteFunc(w.record.Waiting, func(e *waiting) bool {
		there := slices.ContainsFunc(subs, func(s Subscription) bool { return s.ID == e.To })
		late, many := now.Sub(e.Since) >= giveUpAfter, count[e.To] > mostWaiting
		if there && !late && !many {
			return false
		}
		count[e.To]--
		if there {
			w.o.Log.Error("an alert was given up", "channel", e.To, "title", e.Message.Title, "waited", now.Sub(e.Since).Round(time.Second))
		}
		return true
	})
	return len(w.record.Waiting) < before
}

// deliver sends what is due, each channel's messages in their order and the channels side by side. It reports whether anything was
// tried.
func (w *Watcher) deliver(ctx context.Context, subs []Subscription) bool {
	ctx, cancel := context.WithTimeout(ctx, roundWithin)
	defer cancel()
	var channels sync.WaitGroup
	results := make([]map[*waiting]error, len(subs))
	for n, s := range subs {
		var mine []*waiting
		for _, e := range w.record.Waiting {
			if e.To == s.ID {
				mine = append(mine, e)
			}
		}
		if len(mine) == 0 || mine[0].Next.After(w.now()) {
			continue
		}
		results[n] = make(map[*waiting]error)
		channels.Go(func() {
			for _, e := range mine {
				err := send(ctx, s.Channel, e.Message)
				if results[n][e] = err; err != nil && !errors.Is(err, ErrUnsure) {
					return
				}
			}
		})
	}
	channels.Wait()
	tried := false
	for n, s := range subs {
		for e, err := range results[n] {
			tried = true
			w.tried(s, e, err)
		}
	}
	return tried
}

// send keeps a channel that panics from ending the service.
func send(ctx context.Context, c Channel, m Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("send an alert: the channel panicked, which is a defect of owlat-sync")
		}
	}()
	return c.Send(ctx, m)
}

// tried takes in what became of an attempt.
func (w *Watcher) tried(s Subscription, e *waiting, err error) {
	if w.o.Told != nil {
		w.o.Told(s.Name, e.Message, err)
	}
	if err == nil || errors.Is(err, ErrUnsure) {
		w.record.Waiting = slices.DeleteFunc(w.record.Waiting, func(other *waiting) bool { return other == e })
		for _, o := range w.record.Open {
			if o.Message.ID == e.Message.ID && !slices.Contains(o.To, s.ID) {
				o.To = append(o.To, s.ID)
			}
		}
		level := slog.LevelInfo
		if err != nil {
			level = slog.LevelWarn
		}
		attrs := []any{"channel", s.Name, "kind", e.Message.Kind, "title", e.Message.Title}
		if err != nil {
			attrs = append(attrs, "error", err)
		}
		w.o.Log.Log(context.Background(), level, "alert told", attrs...)
		return
	}
	pause := pauseAfter(e.Attempts)
	if asked, ok := errors.AsType[*waitError](err); ok {
		pause = max(pause, asked.wait)
	}
	e.Attempts++
	e.Next = w.now().Add(pause)
	w.o.Log.Warn("an alert could not be told", "channel", s.Name, "title", e.Message.Title, "attempts", e.Attempts, "next", pause, "error", err)
}

// pauseAfter returns how long to wait after so many failed attempts before this one.
func pauseAfter(attempts int) time.Duration {
	return min(firstPause<<min(attempts, 10), lastPause)
}

// SendTest sends a test message to each subscription, one after the other, and tells what became of it.
func SendTest(ctx context.Context, subs []Subscription, m Message, tell func(Subscription, error)) (failed int) {
	for _, s := range subs {
		err := send(ctx, s.Channel, m)
		if err != nil {
			failed++
		}
		tell(s, err)
	}
	return failed
}
