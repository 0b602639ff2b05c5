package feedback_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/internal/feedback"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

const (
	secret    = "whsec_0123456789"
	oldSecret = "whsec_9876543210"
)

// station is a receiver before a ledger in memory.
type station struct {
	*feedback.Receiver
	ledger *memory.Ledger
	log    bytes.Buffer

	mu   sync.Mutex
	told []feedback.Taken
}

var routes = []feedback.Route{
	{Target: "unsub", On: []string{"topic.unsubscribed"}},
	{Target: "away", On: []string{"email.bounced", "email.complained"}},
	{Target: "all", On: []string{"topic.unsubscribed", "email.bounced", "email.complained", "contact.created"}},
}

func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{ledger: memory.New()}
	var err error
	s.Receiver, err = feedback.NewReceiver(s.ledger, feedback.Options{
		Secrets: []string{secret, oldSecret}, MaxAge: 5 * time.Minute, Routes: routes, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Told: func(taken feedback.Taken) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, taken)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// envelope is the body of an event that happens now.
func envelope(event, data string) string {
	return fmt.Sprintf(`{"event":%q,"timestamp":%q,"data":%s}`, event, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), data)
}

// deliver sends a signed body and returns the status.
func (s *station) deliver(body string) int { return s.post(secret, body, nil) }

func (s *station) post(secret, body string, change func(*http.Request)) int {
	r := httptest.NewRequest("POST", "/webhooks/owlat", strings.NewReader(body))
	r.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), []byte(body))
	if change != nil {
		change(r)
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	return answer.Code
}

func (s *station) feedback(t *testing.T) []ledger.Feedback {
	t.Helper()
	all, err := s.ledger.Feedbacks(t.Context(), "", "", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTheClockOfTheLedgerCounts: a node whose own clock is ten minutes off takes what a right one takes, and dates it alike.
func TestTheClockOfTheLedgerCounts(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		s := newStation(t)
		s.ledger.SetClock(ahead)
		body := envelope("email.complained", `{"email":"ada@example.com"}`)
		if status := s.deliver(body); status != 401 {
			t.Errorf("a delivery of now by the machine's clock is answered with %d", status)
		}
		status := s.post(secret, body, func(r *http.Request) { r.Header = owlat.SignWebhook(secret, "wh_1", s.ledger.Now(), []byte(body)) })
		all := s.feedback(t)
		if status != 204 || len(all) != 1 || all[0].Received.Sub(s.ledger.Now()).Abs() > time.Minute {
			t.Errorf("a delivery of now by the ledger's clock is answered with %d, and recorded as %+v", status, all)
		}
		due, err := s.ledger.DueDeliveries(t.Context(), "away", s.ledger.Now(), 1)
		if err != nil || len(due) != 1 {
			t.Errorf("due are %+v, %v", due, err)
		}
	}
}

func TestWhatFollowsFromEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, event, data string
		want              ledger.Feedback
		optOuts           []string // topics
		suppressed        ledger.SuppressionReason
		known             string
		deliveries        []string // target and topic
		ignored           bool
	}{
		{name: "an opt-out", event: "topic.unsubscribed",
			data:    `{"contactId":"c1","email":"Ada@Example.com","listsRemoved":"[{\"topicId\":\"t1\",\"topicName\":\"Weekly\"},{\"topicId\":\"t2\",\"topicName\":\"\"}]","unsubscribedAt":946684790000}`,
			want:    ledger.Feedback{ContactID: "c1", Email: "ada@example.com", Topics: []ledger.FeedbackTopic{{ID: "t1", Name: "Weekly"}, {ID: "t2"}}, At: time.UnixMilli(946684790000)},
			optOuts: []string{"t1", "t2"}, deliveries: []string{"unsub t1", "unsub t2", "all t1", "all t2"}},
		{name: "an opt-out of somebody without an address, from a topic without an id", event: "topic.unsubscribed",
			data:       `{"contactId":"c1","email":"","listsRemoved":"[{\"topicName\":\"Weekly\"}]","unsubscribedAt":0}`,
			want:       ledger.Feedback{ContactID: "c1", Topics: []ledger.FeedbackTopic{{Name: "Weekly"}}},
			deliveries: []string{"unsub ", "all "}},
		{name: "an opt-out from nothing, in the far future", event: "topic.unsubscribed",
			data:       `{"contactId":"c1","email":"ada@example.com","listsRemoved":"[]","unsubscribedAt":4102444800000}`,
			want:       ledger.Feedback{ContactID: "c1", Email: "ada@example.com"},
			deliveries: []string{"unsub ", "all "}},
		{name: "a contact", event: "contact.created", data: `{"contactId":"c1","email":" ADA@example.com","source":"form","timestamp":"2000-01-01T00:00:00.000Z"}`,
			want: ledger.Feedback{ContactID: "c1", Email: "ada@example.com", Kind: "form"}, known: "c1", deliveries: []string{"all "}},
		{name: "a contact without an address", event: "contact.created", data: `{"contactId":"c1","email":"","source":"inbound"}`,
			want: ledger.Feedback{ContactID: "c1", Kind: "inbound"}, deliveries: []string{"all "}},
		{name: "a hard bounce", event: "email.bounced", data: `{"email":"Ada@example.com","bounceType":"Hard","message":"no such\nuser","timestamp":"2000-01-01T00:00:00.000Z"}`,
			want: ledger.Feedback{Email: "ada@example.com", Kind: "hard", Detail: "no such user"}, suppressed: ledger.Bounced, deliveries: []string{"away ", "all "}},
		{name: "a soft bounce", event: "email.bounced", data: `{"email":"ada@example.com","bounceType":"soft","message":"` + strings.Repeat("é", 900) + `","timestamp":"2000-01-01T00:00:00.000Z"}`,
			want: ledger.Feedback{Email: "ada@example.com", Kind: "soft", Detail: strings.Repeat("é", 500) + "…"}},
		{name: "a bounce of nobody", event: "email.bounced", data: `{"email":"","bounceType":"hard","message":"","timestamp":"2000-01-01T00:00:00.000Z"}`,
			want: ledger.Feedback{Kind: "hard"}, deliveries: []string{"away ", "all "}},
		{name: "a complaint", event: "email.complained", data: `{"email":"ada@example.com"}`,
			want: ledger.Feedback{Email: "ada@example.com"}, suppressed: ledger.Complained, deliveries: []string{"away ", "all "}},
		{name: "a trial from the dashboard", event: "test", data: `{}`},
		{name: "something that nothing follows from", event: "email.opened", data: `{"email":"ada@example.com"}`, ignored: true},
		{name: "something new", event: "email.teleported", data: `{"to":["x"]}`, ignored: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // it begins at midnight UTC 2000-01-01
				s := newStation(t)
				for i := range 2 { // the second is a repetition
					if got := s.deliver(envelope(c.event, c.data)); got != 204 {
						t.Fatalf("attempt %d: %d, %s", i+1, got, &s.log)
					}
				}
				if len(s.told) != 2 || s.told[0].Ignored != c.ignored || s.told[0].New == c.ignored || s.told[1].New || s.told[0].Deliveries != len(c.deliveries) || s.told[1].Deliveries != 0 {
					t.Errorf("told %+v", s.told)
				}
				got := s.feedback(t)
				if c.ignored {
					if len(got) > 0 {
						t.Errorf("recorded %+v", got)
					}
					return
				}
				c.want.ID, c.want.Event, c.want.Received = 1, c.event, time.Now()
				if c.want.At.IsZero() {
					c.want.At = time.Now()
				}
				if len(got) != 1 || got[0].Hash == [32]byte{} {
					t.Fatalf("recorded %+v", got)
				}
				c.want.Hash = got[0].Hash
				if diff := cmp.Diff(c.want, got[0], cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
					t.Errorf("feedback (-want +got):\n%s", diff)
				}
				s.follows(t, got[0], c.optOuts, c.suppressed, c.known, c.deliveries)
			})
		})
	}
}

// follows checks what the ledger knows because of a feedback.
func (s *station) follows(t *testing.T, f ledger.Feedback, topics []string, suppressed ledger.SuppressionReason, known string, deliveries []string) {
	t.Helper()
	optOuts, err := s.ledger.OptOuts(t.Context(), []string{"c1"})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	slices.SortFunc(optOuts, func(a, b ledger.OptOut) int { return strings.Compare(a.Topic, b.Topic) })
	for _, o := range optOuts {
		left = append(left, o.Topic)
		if !o.At.Equal(f.At) {
			t.Errorf("left at %v", o.At)
		}
	}
	suppressions, err := s.ledger.Suppressions(t.Context(), []string{"ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	contacts, err := s.ledger.Known(t.Context(), []string{"ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.ledger.Deliveries(t.Context(), ledger.DeliveryWaiting, 0)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []string
	for i := len(all) - 1; i >= 0; i-- {
		waiting = append(waiting, all[i].Target+" "+all[i].Topic)
	}
	if diff := cmp.Diff(topics, left); diff != "" {
		t.Errorf("opt-outs (-want +got):\n%s", diff)
	}
	if got := suppressions["ada@example.com"]; got.Reason != suppressed {
		t.Errorf("suppressed: %+v", got)
	}
	if contacts["ada@example.com"] != known {
		t.Errorf("known: %v", contacts)
	}
	if diff := cmp.Diff(deliveries, waiting); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestBadDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		complaint := envelope("email.complained", `{"email":"ada@example.com"}`)
		long := envelope("test", `{"pad":"`+strings.Repeat("x", owlat.MaxWebhookBytes)+`"}`)
		for _, c := range []struct {
			name, secret, body string
			change             func(*http.Request)
			want               int
		}{
			{"forged", "whsec_other", complaint, nil, 401},
			{"not signed", secret, complaint, func(r *http.Request) { r.Header = http.Header{} }, 401},
			{"truncated", secret, complaint, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(complaint[:20])); r.ContentLength = 20 }, 401},
			{"replayed later", secret, complaint, func(*http.Request) { time.Sleep(6 * time.Minute) }, 401},
			{"enormous", secret, long, nil, 413},
			{"enormous without a length", secret, long, func(r *http.Request) { r.ContentLength = -1 }, 413},
			{"no JSON", secret, "hello", nil, 400},
			{"no event", secret, "{}", nil, 400},
			{"data of another kind", secret, envelope("email.complained", `["ada@example.com"]`), nil, 400},
			{"an opt-out of nobody", secret, envelope("topic.unsubscribed", `{"email":"ada@example.com","listsRemoved":"[]"}`), nil, 400},
			{"asked for", secret, complaint, func(r *http.Request) { r.Method = "GET" }, 405},
		} {
			s := newStation(t)
			if got := s.post(c.secret, c.body, c.change); got != c.want {
				t.Errorf("%s: %d", c.name, got)
			}
			if len(s.feedback(t)) > 0 || len(s.told) > 0 {
				t.Errorf("%s was recorded", c.name)
			}
			if log := s.log.String(); log == "" || strings.Contains(log, "ada@") || strings.Contains(log, "whsec") {
				t.Errorf("%s: logged %q", c.name, log)
			}
		}
		if _, err := feedback.NewReceiver(memory.New(), feedback.Options{}); err == nil {
			t.Error("a receiver without a secret")
		}
	})
}

// While a secret is replaced, deliveries under both are the same.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		body := envelope("email.complained", `{"email":"ada@example.com"}`)
		if a, b := s.post(oldSecret, body, nil), s.post(secret, body, nil); a != 204 || b != 204 || len(s.feedback(t)) != 1 {
			t.Errorf("%d, %d, recorded %+v", a, b, s.feedback(t))
		}
	})
}

// fails is a mailbox that cannot record for some calls.
type fails struct {
	*memory.Ledger
	times int
}

var errFull = errors.New("the disk is full")

func (f *fails) TakeIn(ctx context.Context, news ledger.News) (ledger.Receipt, error) {
	if f.times--; f.times >= 0 {
		return ledger.Receipt{}, errFull
	}
	return f.Ledger.TakeIn(ctx, news)
}

// What cannot be recorded comes again, and is recorded then.
func TestOwlatSendsAgainWhatWasNotRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := &fails{memory.New(), 2}
		var told []feedback.Taken
		r, err := feedback.NewReceiver(box, feedback.Options{Secrets: []string{secret}, MaxAge: 5 * time.Minute, Told: func(t feedback.Taken) { told = append(told, t) }})
		if err != nil {
			t.Fatal(err)
		}
		server := &owlattest.Server{NoLimit: true}
		defer server.Close()
		server.WebhookClient = &http.Client{Transport: handled{r}}
		if _, err := server.AddWebhook("https://sync.example/webhooks/owlat", secret, "email.bounced"); err != nil {
			t.Fatal(err)
		}
		server.Bounce("Ada@example.com", true, "no such user")
		if err := server.WaitWebhooks(t.Context()); err != nil {
			t.Fatal(err)
		}
		suppressed, err := box.Suppressions(t.Context(), []string{"ada@example.com"})
		if err != nil || len(suppressed) != 1 {
			t.Errorf("suppressed %+v, %v", suppressed, err)
		}
		if len(told) != 3 || !errors.Is(told[0].Err, errFull) || told[2].Err != nil || !told[2].New {
			t.Errorf("told %+v", told)
		}
	})
}

// handled is a transport that asks a handler.
type handled struct{ http.Handler }

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// block is a body of which so many bytes come, a piece each millisecond so that many come side by side, and no more until it is let end.
type block struct {
	left int
	free <-chan struct{}
}

func (b *block) Read(p []byte) (int, error) {
	if b.left == 0 {
		<-b.free
		return 0, io.EOF
	}
	time.Sleep(time.Millisecond)
	n := min(len(p), b.left, 32<<10)
	b.left -= n
	return n, nil
}

func (*block) Close() error { return nil }

// Large bodies take a limited part of the memory as they come, not as they are announced, and leave small ones alone.
func TestManyLargeBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		send := func(n, length int) (statuses []int, end func()) {
			free := make(chan struct{})
			statuses = make([]int, n)
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					statuses[i] = s.post(secret, "", func(r *http.Request) { r.Body, r.ContentLength = &block{length, free}, owlat.MaxWebhookBytes })
				})
			}
			time.Sleep(time.Second)
			synctest.Wait()
			return statuses, func() { close(free); all.Wait() }
		}
		count := func(statuses []int) (refused int) {
			for _, status := range statuses {
				if status == http.StatusServiceUnavailable {
					refused++
				}
			}
			return refused
		}
		large := func(n int) string {
			return envelope("test", fmt.Sprintf(`{"n":%d,"pad":%q}`, n, strings.Repeat("x", 1<<19)))
		}

		announced, end := send(100, 1)
		began := time.Now()
		if got := s.deliver(large(1)); got != 204 || time.Since(began) > 0 {
			t.Errorf("a large one beside many that are only announced: %d after %v", got, time.Since(began))
		}
		end()
		if n := count(announced); n > 0 {
			t.Errorf("%d of those that are only announced were refused", n)
		}

		come, end := send(40, owlat.MaxWebhookBytes)
		if got := s.deliver(envelope("email.complained", `{"email":"ada@example.com"}`)); got != 204 {
			t.Errorf("a small one: %d", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := count(come); n < 8 || n > 16 { // 32 have room, and those that give up first leave theirs to the others
			t.Errorf("%d were refused: %v", n, come)
		}
		end()
		if got := s.deliver(large(2)); got != 204 {
			t.Errorf("a large one afterwards: %d", got)
		}

		// It waits for room while others end.
		_, end = send(32, owlat.MaxWebhookBytes)
		time.AfterFunc(5*time.Second, end)
		if got := s.deliver(large(3)); got != 204 {
			t.Errorf("a large one that waits: %d", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

// paced notes until when each part of a body may come.
type paced struct {
	http.ResponseWriter
	within []time.Duration
	began  time.Time
}

func (p *paced) SetReadDeadline(at time.Time) error {
	p.within = append(p.within, at.Sub(p.began))
	return nil
}

// A body has a few seconds to begin, and more only for what has come.
func TestTheTimeOfABodyGrowsWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		w := &paced{ResponseWriter: httptest.NewRecorder(), began: time.Now()}
		body := strings.Repeat("x", owlat.MaxWebhookBytes)
		r := httptest.NewRequest("POST", "/webhooks/owlat", strings.NewReader(body))
		r.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), nil)
		s.ServeHTTP(w, r)
		if last := w.within[len(w.within)-1]; w.within[0] != 5*time.Second || last < 12*time.Second || last > 15*time.Second || !slices.IsSorted(w.within) {
			t.Errorf("it may come within %v", w.within)
		}
	})
}

// Deliveries in any order, several at once and each twice end the same.
func TestAnyOrderAndAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		var bodies []string
		for i := range 50 {
			bodies = append(bodies, fmt.Sprintf(`{"event":"topic.unsubscribed","timestamp":"2000-01-01T00:00:%02d.000Z","data":{"contactId":"c1","email":"ada@example.com",`+
				`"listsRemoved":"[{\"topicId\":\"t1\",\"topicName\":\"\"}]","unsubscribedAt":%d}}`, i, 946684800000+int64(i)*1000))
		}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if got := s.deliver(bodies[(i*37)%50]); got != 204 {
					t.Errorf("%d", got)
				}
			})
		}
		all.Wait()
		optOuts, err := s.ledger.OptOuts(t.Context(), []string{"c1"})
		if err != nil || len(optOuts) != 1 || !optOuts[0].At.Equal(time.UnixMilli(946684849000)) || len(s.feedback(t)) != 50 {
			t.Errorf("opt-outs %+v, %v, %d feedback", optOuts, err, len(s.feedback(t)))
		}
	})
}

// A body that comes too slowly ends with its connection, over a socket.
func TestASlowBody(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(deadlines{w, t}, r)
	}))
	defer listener.Close()
	reader, writer := io.Pipe()
	defer writer.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", listener.URL, reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = owlat.SignWebhook(secret, "wh_1", time.Now(), nil)
	answer, err := http.DefaultClient.Do(r)
	if err == nil {
		answer.Body.Close()
		if answer.StatusCode != 400 {
			t.Errorf("answered %d", answer.StatusCode)
		}
	}
	if len(s.feedback(t)) > 0 {
		t.Error("it was recorded")
	}
}

// deadlines passes a deadline on as one that is over soon.
type deadlines struct {
	http.ResponseWriter
	t *testing.T
}

func (d deadlines) SetReadDeadline(at time.Time) error {
	if left := time.Until(at); left < time.Second || left > time.Minute {
		d.t.Errorf("the body may take %v", left)
	}
	return http.NewResponseController(d.ResponseWriter).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
}
