package home

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/feedback"
	"owlatsync/internal/turns"
	"owlatsync/internal/writeback"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestServiceModel plays random histories against a service that schedules, hears webhooks and writes back: rows change, people leave by
// Owlat's links, mails bounce, the service is stopped and killed, Owlat and the database of the write-back fail. Then everything is left
// in peace, and nothing of what was promised may be broken. OWLATSYNC_SEED plays one history; OWLATSYNC_SOAK=1h as many as fit.
func TestServiceModel(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("OWLATSYNC_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		playService(t, seed)
		return
	}
	soak, _ := time.ParseDuration(os.Getenv("OWLATSYNC_SOAK"))
	began := time.Now()
	for seed := uint64(1); seed <= 8 || time.Since(began) < soak; seed++ {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { playService(t, seed) }) {
			return
		}
	}
}

// TestTheJudgeSees plants faults into the taking in of webhooks. Each must be seen within a few histories.
func TestTheJudgeSees(t *testing.T) {
	t.Parallel()
	for _, planted := range []struct {
		fault string
		plant func(*ledger.News) (keep bool)
		sees  string
	}{
		{"a webhook is acknowledged and not kept", func(n *ledger.News) bool { return n.Feedback.Event != "contact.created" }, "webhooks were acknowledged"},
		{"suppressions are forgotten", func(n *ledger.News) bool { n.Suppressions = nil; return true }, "a suppression was acknowledged"},
		{"write-backs are forgotten", func(n *ledger.News) bool { n.Deliveries = nil; return true }, "was never written back"},
	} {
		t.Run(planted.fault, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				if strings.Contains(play(t, seed, planted.plant), planted.sees) {
					return
				}
			}
			t.Error("the judge does not see it")
		})
	}
}

func playService(t *testing.T, seed uint64) {
	if verdict := play(t, seed, nil); verdict != "" {
		t.Errorf("OWLATSYNC_SEED=%d: %s", seed, verdict)
	}
}

// play plays one history and returns what the judge found, empty if nothing.
func play(t *testing.T, seed uint64, plant func(*ledger.News) bool) (verdict string) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, seed, plant)
		defer func() { verdict = strings.Join(m.found, "\n") }()
		defer m.end()
		for range 60 {
			m.step()
			synctest.Wait()
			time.Sleep(time.Duration(m.dice.IntN(90_000)) * time.Millisecond)
		}
		m.peace()
		m.judge()
		if len(m.found) > 0 {
			m.found = append(m.found, m.log...)
		}
	})
	return verdict
}

// planting takes in what a planted fault leaves of the news.
type planting struct {
	*memory.Ledger
	plant func(*ledger.News) bool
}

// TakeIn implements feedback.Mailbox.
func (p planting) TakeIn(ctx context.Context, n ledger.News) (ledger.Receipt, error) {
	if p.plant != nil && !p.plant(&n) {
		return ledger.Receipt{ID: 1, New: true}, nil
	}
	return p.Ledger.TakeIn(ctx, n)
}

const (
	hookSecret = "whsec_0123456789"
	modelSync  = "users"
)

// model is a town with a service in it, and what the judge must know.
type model struct {
	*town
	t     *testing.T
	dice  *rand.Rand
	plant func(*ledger.News) bool
	log   []string
	found []string

	life   *life // nil: the service is not running
	table  *writable
	words  map[string][]time.Time // when people's rows went from no to yes by their own word, by address
	serial int
}

func newModel(t *testing.T, seed uint64, plant func(*ledger.News) bool) *model {
	m := &model{town: newTown(), t: t, dice: rand.New(rand.NewPCG(seed, 13)), plant: plant, words: make(map[string][]time.Time)}
	m.when = true
	m.table = &writable{people: m.source(modelSync), topic: m.topic, done: make(map[int64]int)}
	m.server.WebhookClient = &http.Client{Transport: m}
	_, err := m.server.AddWebhook("https://sync.example/webhooks/owlat", hookSecret, "topic.unsubscribed", "contact.created", "email.bounced", "email.complained")
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		m.newRow()
	}
	m.begin()
	return m
}

// life is one process of the service.
type life struct {
	*process
	receiver *feedback.Receiver
	sender   *writeback.Sender
	telling  context.CancelFunc
	told     chan struct{}
}

func (m *model) begin() {
	m.note("the service starts")
	sync := every(modelSync, time.Minute)
	sync.OnMissing = reconcile.MissingLeave
	l := &life{process: m.start(m.t, sync), told: make(chan struct{})}
	l.sender = writeback.New(l.book, []writeback.Target{m.table}, nil, nil)
	var err error
	l.receiver, err = feedback.NewReceiver(planting{l.book, m.plant}, feedback.Options{
		Secrets: []string{hookSecret}, MaxAge: 5 * time.Minute, Routes: []feedback.Route{{Target: m.table.Name(), On: []string{"topic.unsubscribed"}}},
		Told: func(feedback.Taken) { l.sender.Wake() },
	})
	if err != nil {
		m.t.Fatal(err)
	}
	var ctx context.Context
	ctx, l.telling = context.WithCancel(context.Background())
	go func() {
		defer close(l.told)
		l.sender.Run(ctx)
	}()
	m.mu.Lock()
	m.life = l
	m.mu.Unlock()
}

// cease ends the life of the service, at once or softly.
func (m *model) cease(killed bool) {
	m.mu.Lock()
	l := m.life
	m.life = nil
	m.mu.Unlock()
	if l == nil {
		return
	}
	m.note("the service ends, killed %v", killed)
	l.telling()
	if killed {
		l.kill()
		<-l.told
		return
	}
	l.stop()
	<-l.told
	_ = l.book.Close()
}

func (m *model) end() {
	m.cease(true)
	if err := m.server.Close(); err != nil {
		m.t.Error(err)
	}
}

// RoundTrip delivers a webhook to the service as it is then.
func (m *model) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := httptest.NewRequest(r.Method, "/webhooks/owlat", bytes.NewReader(body))
	in.Header = r.Header
	answer := httptest.NewRecorder()
	l.receiver.ServeHTTP(answer, in)
	return answer.Result(), nil
}

// writable is the table of the source, as the target of a write-back.
type writable struct {
	*people
	topic string

	mu    sync.Mutex
	down  bool
	odd   bool // refuses every other notice once
	done  map[int64]int
	order []writeback.Notice
}

func (w *writable) Name() string { return "statement users" }
func (w *writable) Sync() string { return modelSync }

// Writes implements Target.
func (w *writable) Writes() bool { return true }

func (w *writable) Check(context.Context) error { return nil }
func (w *writable) Close() error                { return nil }

// Deliver sets the column to no, as a statement would.
func (w *writable) Deliver(_ context.Context, notices []writeback.Notice) []writeback.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	results := make([]writeback.Result, len(notices))
	for i, n := range notices {
		switch {
		case w.down:
			results[i].Err = &writeback.DownError{Err: errDown}
			continue
		case w.odd && n.ID%2 == 1:
			w.odd = false
			results[i].Err = errors.New("a lock timed out")
			continue
		}
		w.done[n.ID]++
		w.order = append(w.order, n)
		if n.Topic == w.topic {
			results[i].Wrote = w.says(n.Email, false)
		}
	}
	return results
}

func (w *writable) set(down, odd bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.odd = down, odd
}

// says sets the consent of the rows with the address, and reports whether there is one.
func (p *people) says(email string, yes bool) (found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, row := range p.rows {
		if row.Email.Value == email {
			row.Consents = []owlatsync.Consent{owlatsync.ConsentOf(yes)}
			p.rows[key], found = row, true
		}
	}
	return found
}

// any returns the address of a row and what it says; ok is false without rows.
func (m *model) any() (key, email string, yes, ok bool) {
	p := m.source(modelSync)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rows) == 0 {
		return "", "", false, false
	}
	keys := make([]string, 0, len(p.rows))
	for k := range p.rows {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	key = keys[m.dice.IntN(len(keys))]
	row := p.rows[key]
	return key, row.Email.Value, row.Consents[0] == owlatsync.Yes, true
}

func (m *model) newRow() {
	m.serial++
	key, yes := fmt.Sprintf("p%03d", m.serial), m.dice.IntN(4) > 0
	m.note("row %s appears, yes %v", key, yes)
	m.source(modelSync).put(key, yes)
	if yes {
		m.words[key+"@example.com"] = append(m.words[key+"@example.com"], time.Now())
	}
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// step lets one thing happen.
func (m *model) step() {
	key, email, yes, ok := m.any()
	if !ok {
		m.newRow()
		return
	}
	switch m.dice.IntN(16) {
	case 0, 1:
		m.newRow()
	case 2, 3, 4: // the person's own word in the application
		m.note("%s says %v", key, !yes)
		if m.source(modelSync).says(email, !yes); !yes {
			m.words[email] = append(m.words[email], time.Now())
		}
	case 5:
		m.note("row %s goes", key)
		p := m.source(modelSync)
		p.mu.Lock()
		delete(p.rows, key)
		p.mu.Unlock()
	case 6, 7, 8:
		topic := ""
		if m.dice.IntN(2) == 0 {
			topic = m.topic
		}
		m.note("%s leaves %q: %v", key, topic, m.server.Unsubscribe(email, topic))
	case 9:
		m.note("a mail to %s bounces", key)
		m.server.Bounce(email, m.dice.IntN(3) > 0, "550 no such user")
	case 10:
		m.note("%s calls a mail spam", key)
		m.server.Complain(email)
	case 11, 12:
		if m.life == nil {
			m.begin()
		} else if m.dice.IntN(3) == 0 {
			m.cease(m.dice.IntN(2) == 0)
		}
	case 13:
		if l := m.life; l != nil {
			m.note("rows are said to have changed")
			l.wake(m.t.Context(), turns.Request{Sync: modelSync, Why: turns.Notified, Full: m.dice.IntN(4) == 0})
		}
	case 14:
		down := m.dice.IntN(2) == 0
		m.note("the database of the write-back is down: %v", down)
		m.table.set(down, !down)
	case 15:
		m.note("Owlat fails now and then")
		fault := owlattest.Fault{Kind: owlattest.ResetAfter, Rate: 0.3, Count: 4}
		if m.dice.IntN(2) == 0 {
			fault = owlattest.Fault{Kind: owlattest.StatusError, Rate: 0.5, Count: 6}
		}
		if err := m.server.InjectFaults(fault); err != nil {
			m.t.Fatal(err)
		}
	}
}

// peace ends all trouble and lets everything settle.
func (m *model) peace() {
	m.note("peace")
	m.server.ClearFaults()
	m.table.set(false, false)
	if m.life == nil {
		m.begin()
	}
	time.Sleep(5 * time.Hour) // more than the longest pauses of rows and write-backs
}

func (m *model) judge() {
	m.nobodyPutBack()
	m.nothingAcknowledgedLost()
	m.writtenBack()
	m.inStep()
	before, _ := m.requests()
	time.Sleep(3 * time.Hour)
	if all, _ := m.requests(); all != before {
		m.fail("%d requests were sent although nothing had changed", all-before)
	}
}

func (m *model) fail(format string, args ...any) {
	m.found = append(m.found, fmt.Sprintf(format, args...))
}

// nobodyPutBack wants a consent of the person's own, not acted on before, for everybody who left and was put on the topic again, and
// no add to an address after its suppression was acknowledged.
func (m *model) nobodyPutBack() {
	history := m.server.History("")
	for _, back := range owlattest.PutBack(history, func(r owlattest.Return) bool {
		since := time.Time{} // of the add before
		for _, e := range history {
			if e.ContactID == r.Added.ContactID && e.Action == owlattest.Added && e.Time.Before(r.Added.Time) {
				since = e.Time
			}
		}
		return slices.ContainsFunc(m.words[r.Added.Email], func(at time.Time) bool { return at.After(since) && !at.After(r.Added.Time) })
	}) {
		m.fail("%s left at %s and was put back at %s without a new consent", back.Added.Email, back.Left.Time, back.Added.Time)
	}
	for _, d := range m.server.Deliveries() {
		if d.Status != http.StatusNoContent {
			continue
		}
		address := m.suppressedBy(d)
		for _, e := range history {
			if e.Email == address && e.Action == owlattest.Added && e.By == owlattest.ByAPI && e.Time.After(d.Time.Add(time.Second)) && address != "" {
				m.fail("%s was put on the topic at %s although a suppression was acknowledged at %s", address, e.Time, d.Time)
			}
		}
	}
}

// suppressedBy returns the address that a delivery suppresses, empty if none.
func (m *model) suppressedBy(d owlattest.Delivery) string {
	switch p := m.payload(d).(type) {
	case owlat.WebhookEmailBouncedPayload:
		if p.BounceType == "hard" {
			return p.Email
		}
	case owlat.WebhookEmailComplainedPayload:
		return p.Email
	}
	return ""
}

func (m *model) payload(d owlattest.Delivery) any {
	e, err := owlat.VerifyWebhook([]string{hookSecret}, owlat.SignWebhook(hookSecret, "w", time.Now(), []byte(d.Body)), []byte(d.Body))
	if err != nil {
		m.t.Fatal(err)
	}
	return e.Payload
}

// nothingAcknowledgedLost counts the different webhooks that were acknowledged.
func (m *model) nothingAcknowledgedLost() {
	bodies := make(map[string]bool)
	for _, d := range m.server.Deliveries() {
		if d.Status == http.StatusNoContent {
			bodies[d.Body] = true
		}
	}
	kept, err := m.ledger.Feedbacks(m.t.Context(), "", "", 0, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(kept) < len(bodies) {
		m.fail("%d webhooks were acknowledged, and %d are kept", len(bodies), len(kept))
	}
}

// writtenBack wants every opt-out in the table at least once, in the order in which it came for each person, and nothing left.
func (m *model) writtenBack() {
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	counts, err := m.ledger.DeliveryCounts(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	c := counts[m.table.Name()]
	if c[ledger.DeliveryWaiting]+c[ledger.DeliveryDead] > 0 || c[ledger.DeliveryDone] != len(m.table.done) {
		m.fail("the deliveries are %v, and %d were written", c, len(m.table.done))
	}
	written := make(map[string]bool)
	for _, n := range m.table.order {
		written[n.ContactID+" "+n.Topic] = true
	}
	for _, d := range m.server.Deliveries() {
		if p, ok := m.payload(d).(owlat.WebhookTopicUnsubscribedPayload); ok && d.Status == http.StatusNoContent {
			for _, topic := range p.Topics {
				if !written[p.ContactID+" "+topic.ID] {
					m.fail("the opt-out of contact %s was never written back", p.ContactID)
				}
			}
		}
	}
	latest := make(map[string]int64)
	for _, n := range m.table.order {
		if n.ID < latest[n.ContactID] && m.table.done[n.ID] == 1 {
			m.fail("delivery %d about contact %s came after delivery %d", n.ID, n.ContactID, latest[n.ContactID])
		}
		latest[n.ContactID] = max(n.ID, latest[n.ContactID])
	}
}

// inStep wants a contact for each row, and on the topic nobody whose row says no or is gone.
func (m *model) inStep() {
	p := m.source(modelSync)
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, row := range p.rows {
		c, there := m.server.Contact(row.Email.Value)
		if !there {
			m.fail("row %s has no contact", key)
		} else if len(c.Topics) > 0 && row.Consents[0] != owlatsync.Yes {
			m.fail("row %s says no, and its contact is on the topic", key)
		}
	}
	for _, c := range m.server.Contacts() {
		key, _, _ := strings.Cut(c.Email, "@")
		if _, there := p.rows[key]; !there && len(c.Topics) > 0 {
			m.fail("%s is on the topic, and its row is gone", c.Email)
		}
	}
}
