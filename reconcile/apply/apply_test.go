package apply

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// steps is a plan of steps in their order.
type steps []*step.Step

func (s steps) Steps(phase step.Phase) iter.Seq2[*step.Step, error] {
	return s.those(func(s *step.Step) bool { return s.Phase == phase })
}

func (s steps) Early() iter.Seq2[*step.Step, error] { return s.those((*step.Step).WithdrawsEarly) }

func (s steps) Departs() (string, []string, iter.Seq2[string, error]) {
	return "keep", nil, func(func(string, error) bool) {}
}

func (s steps) those(want func(*step.Step) bool) iter.Seq2[*step.Step, error] {
	return func(yield func(*step.Step, error) bool) {
		for _, s := range s {
			if want(s) && !yield(s, nil) {
				return
			}
		}
	}
}

// notes takes in what is told of rows, one at a time.
type notes struct {
	noted []string
	made  int
	left  int
}

func (n *notes) Note(key string, outcome owlatsync.Outcome) {
	n.noted = append(n.noted, fmt.Sprint(key, " ", outcome))
}
func (n *notes) Made()         { n.made++ }
func (n *notes) Left(rows int) { n.left += rows }
func (n *notes) Absent(outcome owlatsync.Outcome, e *ledger.Entry) {
	n.noted = append(n.noted, fmt.Sprint("left: ", e.Key, " ", outcome))
}

// bench is an emulator, a ledger and what is told while a plan is applied.
type bench struct {
	t      *testing.T
	server *owlattest.Server
	client *owlat.Client
	ledger *memory.Ledger
	notes  notes

	mu       sync.Mutex
	requests []string
	told     map[string]progress.RowDone
}

// newBench is for a bubble of fake time.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, server: &owlattest.Server{NoLimit: true, RandomSeed: 1}, ledger: memory.New(), told: make(map[string]progress.RowDone)}
	client, err := owlat.NewClient("https://owlat.example", b.server.AddKey(), owlat.WithTransport(b.server.Transport()), owlat.WithoutLimiter(),
		owlat.WithObserver(func(a owlat.Attempt) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.requests = append(b.requests, a.Method+" "+a.Route)
		}))
	if err != nil {
		t.Fatal(err)
	}
	b.client = client
	t.Cleanup(client.CloseIdleConnections)
	return b
}

// contact puts a contact and its entry in place, on the topics.
func (b *bench) contact(key, email string, topics ...string) *ledger.Entry {
	b.t.Helper()
	id, err := b.server.AddContact(owlattest.ContactState{Email: email})
	if err != nil {
		b.t.Fatal(err)
	}
	e := &ledger.Entry{Key: key, ContactID: id, Email: email, Identity: email, Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Lo: 1},
		FirstSeen: time.Now(), ChangedAt: time.Now()}
	for _, topic := range topics {
		if _, err := b.client.Topics.Add(b.t.Context(), topic, owlat.AddMemberRequest{ContactID: id}); err != nil {
			b.t.Fatal(err)
		}
		e.Memberships = append(e.Memberships, ledger.Membership{Topic: topic, Consent: true, State: ledger.MemberAdded, At: time.Now()})
	}
	lock := b.lock()
	if err := lock.Record(b.t.Context(), ledger.Record{Sync: "users", Entry: e}); err != nil {
		b.t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *bench) lock() ledger.Lock {
	b.t.Helper()
	lock, err := b.ledger.Acquire(b.t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return lock
}

// apply applies a plan with so many workers.
func (b *bench) apply(workers int, plan ...*step.Step) (*owlatsync.Report, error) {
	b.t.Helper()
	b.requests = nil
	lock := b.lock()
	tell := progress.NewTeller(progress.About{Sync: "users", Run: 1}, []progress.Observer{{Complete: true, Each: func(v progress.Value) {
		if d, ok := v.(progress.RowDone); ok {
			b.told[d.Key] = d
		}
	}}}, func() (n owlatsync.RequestCounts) { return n }, func(int) time.Duration { return 0 })
	tell.Read(len(plan))
	err := Apply(lock.Context(), Needs{
		Client: b.client, Ledger: b.ledger, Writer: lock, Held: lock.Check, Tell: tell, Notes: &b.notes, Log: slog.New(slog.DiscardHandler), Sync: "users", Run: 1, SoFar: new(SoFar), Workers: workers,
	}, steps(plan))
	if err := lock.Release(); err != nil {
		b.t.Fatal(err)
	}
	return tell.Report(), err
}

// entry returns the entry of a row.
func (b *bench) entry(key string) *ledger.Entry {
	b.t.Helper()
	entries, err := b.ledger.Entries(b.t.Context(), "users", []string{key})
	if err != nil || entries[key] == nil {
		b.t.Fatalf("the entry of row %s: %v", key, err)
	}
	return entries[key]
}

// count counts requests that begin so.
func (b *bench) count(request string) (n int) {
	for _, r := range b.requests {
		if strings.HasPrefix(r, request) {
			n++
		}
	}
	return n
}

// planned is the step for a row with an entry.
func planned(phase step.Phase, e *ledger.Entry, email string, outcome owlatsync.Outcome, changes ...owlatsync.Change) *step.Step {
	return &step.Step{
		Phase: phase, Row: &step.Row{Key: e.Key, Email: email, Fingerprint: ledger.Fingerprint{Lo: 2}}, Entry: e, Outcome: outcome, Changes: changes,
	}
}

// TestARenameThatWithdraws takes contacts off a topic before any is renamed. Where that fails, the contact is renamed all the same, and
// its row has failed.
func TestARenameThatWithdraws(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		fault    *owlattest.Fault
		outcome  owlatsync.Outcome
		category ledger.Category
		state    ledger.MembershipState // of the membership of row a
	}{
		{"it works", nil, owlatsync.Renamed, "", ledger.MemberOut},
		{"a gateway answers", &owlattest.Fault{Kind: owlattest.StatusError, Status: http.StatusBadGateway, Method: http.MethodDelete}, owlatsync.Failed, "internal", ledger.MemberLeaving},
		{"its answer is lost", &owlattest.Fault{Kind: owlattest.ResetAfter, Method: http.MethodDelete}, owlatsync.Failed, ledger.CategoryNetwork, ledger.MemberLeaving},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				topic := b.server.AddTopic("news", false)
				chain := func(key, from, to string, order int64, more ...owlatsync.Change) *step.Step {
					s := planned(step.Rename, b.contact(key, from, topic), to, owlatsync.Renamed,
						append([]owlatsync.Change{{Kind: owlatsync.RenameContact, From: from, To: to}}, more...)...)
					s.Order = order
					return s
				}
				// The second waits for the first, which withdraws nothing and is not held up by the other's withdrawal.
				first := chain("b", "b@example.com", "c@example.com", 0)
				second := chain("a", "a@example.com", "b@example.com", 1, owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: topic})
				if tt.fault != nil {
					if err := b.server.InjectFaults(*tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				report, err := b.apply(4, first, second)
				if err != nil {
					t.Fatal(err)
				}
				if !report.Balanced() || report.Outcomes[owlatsync.Renamed]+report.Outcomes[owlatsync.Failed] != 2 {
					t.Errorf("report %+v", report)
				}
				if d := b.told["b"]; d.Outcome != owlatsync.Renamed {
					t.Errorf("the row that withdraws nothing is told as %+v", d)
				}
				d, e := b.told["a"], b.entry("a")
				if d.Outcome != tt.outcome || d.Category != tt.category || (d.Reason != "") != (tt.fault != nil) {
					t.Errorf("the row is told as %s, %s: %s", d.Outcome, d.Category, d.Reason)
				}
				if e.Email != "b@example.com" || e.Membership(topic).State != tt.state {
					t.Errorf("the entry is %+v", e)
				}
				if done := tt.fault == nil; e.Fingerprint.IsZero() == done || (e.Failure == nil) != done {
					t.Errorf("the entry has the fingerprint %v and the failure %+v", e.Fingerprint, e.Failure)
				}
				for _, address := range []string{"b@example.com", "c@example.com"} {
					if _, there := b.server.Contact(address); !there {
						t.Errorf("no contact has the address %s", address)
					}
				}
				if !strings.HasPrefix(b.requests[0], "DELETE ") || b.count("PUT ") != 2 || !strings.HasPrefix(b.requests[len(b.requests)-1], "PUT ") {
					t.Errorf("requests %v", b.requests)
				}
				if diff := cmp.Diff([]string{"b renamed", "a " + string(tt.outcome)}, b.notes.noted); diff != "" {
					t.Errorf("noted (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestATopicThatIsNone adds contacts to a topic that Owlat answers with 500, all at once: it is found out once.
func TestATopicThatIsNone(t *testing.T) {
	t.Parallel()
	const workers = 8
	b := newBench(t)
	good := b.server.AddTopic("news", false)
	var plan []*step.Step
	for i := range 40 {
		topic := "not_a_topic"
		if i%4 == 3 {
			topic = good
		}
		e := b.contact(fmt.Sprint(i), fmt.Sprintf("row%d@example.com", i))
		e.Memberships = []ledger.Membership{{Topic: topic, Consent: true, State: ledger.MemberWanted, At: time.Now()}}
		plan = append(plan, planned(step.Update, e, e.Email, owlatsync.Updated, owlatsync.Change{Kind: owlatsync.AddTopic, Topic: topic}))
	}
	report, err := b.apply(workers, plan...)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Balanced() || report.Outcomes[owlatsync.Failed] != 30 || report.Outcomes[owlatsync.Updated] != 10 || report.Memberships.Added != 10 {
		t.Errorf("report %+v", report)
	}
	for _, key := range []string{"0", "38"} {
		d, e := b.told[key], b.entry(key)
		if d.Category != ledger.CategoryTopic || d.Reason != "Owlat has no topic not_a_topic: correct its id in the configuration" ||
			e.Failure == nil || e.Membership("not_a_topic").State != ledger.MemberWanted {
			t.Errorf("row %s is told as %+v, its entry is %+v", key, d, e)
		}
	}
	if adds, probes := b.count("POST "), b.count("DELETE "); adds < 11 || adds > 10+workers || probes < 1 || probes > 3 {
		t.Errorf("%d adds, and %d requests that ask for the topic", adds, probes)
	}
}

// TestAbout says what a failed request about a topic means, and what is asked to find that out.
func TestAbout(t *testing.T) {
	t.Parallel()
	refused := owlattest.Fault{Kind: owlattest.StatusError, Status: http.StatusInternalServerError} // by a gateway
	for _, tt := range []struct {
		name  string
		topic string // "": a good one
		fault *owlattest.Fault
		err   func(fromOwlat error) error
		bad   bool
		asks  [2]int // requests for the topic, tries included, and for the contact
	}{
		{"no error of Owlat's", "not_a_topic", nil, func(error) error { return errors.New("lost") }, false, [2]int{}},
		{"a topic that is none", "not_a_topic", nil, func(err error) error { return err }, true, [2]int{3, 1}},
		{"a defect of Owlat's, and a good topic", "", nil, func(err error) error { return err }, false, [2]int{1, 0}},
		{"nothing can be found out", "not_a_topic", &refused, func(err error) error { return err }, false, [2]int{5 * 3, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				if tt.topic == "" {
					tt.topic = b.server.AddTopic("news", false)
				}
				contact := b.contact("1", "a@example.com").ContactID
				_, fromOwlat := b.client.Topics.Add(t.Context(), "not_a_topic", owlat.AddMemberRequest{ContactID: contact})
				if answer, ok := errors.AsType[*owlat.Error](fromOwlat); !ok || answer.StatusCode != http.StatusInternalServerError {
					t.Fatalf("Owlat answers %v", fromOwlat)
				}
				if tt.fault != nil {
					if err := b.server.InjectFaults(*tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				given := tt.err(fromOwlat)
				b.requests = nil
				topics := remote.NewTopics()
				for range 5 {
					err := topics.About(t.Context(), b.client, tt.topic, contact, given)
					if errors.Is(err, remote.ErrNoTopic) != tt.bad || !tt.bad && err != given || !errors.Is(err, given) {
						t.Errorf("it means: %v", err)
					}
				}
				if bad, _ := topics.IsBad(tt.topic); bad != tt.bad {
					t.Errorf("the topic is bad: %v", bad)
				}
				if asked := [2]int{b.count("DELETE "), b.count("GET ")}; asked != tt.asks {
					t.Errorf("%d requests, want %d: %v", asked, tt.asks, b.requests)
				}
			})
		})
	}
}
