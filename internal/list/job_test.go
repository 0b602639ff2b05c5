package list

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/exitcode"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/bar"
)

// town is an emulator with people and a topic, in a bubble.
type town struct {
	server owlattest.Server
	client *owlat.Client
	topic  string
	people []Entry
	folder string
}

func newTown(t *testing.T, people int, scopes ...string) *town {
	t.Helper()
	w := &town{folder: t.TempDir()}
	if len(scopes) == 0 {
		scopes = owlattest.AllScopes()
	}
	made, err := w.server.Setup(owlattest.Given{
		Keys:   map[string]owlattest.GivenKey{"all": {Scopes: scopes}},
		Topics: map[string]owlattest.GivenTopic{"news": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.topic = made.Topics["news"]
	if w.client, err = owlat.NewClient(owlat.DefaultBaseURL, made.Keys["all"], owlat.WithTransport(w.server.Transport()), owlat.WithRetries(0)); err != nil {
		t.Fatal(err)
	}
	for n := range people {
		w.people = append(w.people, Entry{Contact: fmt.Sprintf("user%d@example.com", n)})
	}
	return w
}

func (w *town) journal(t *testing.T, job Job) *Journal {
	t.Helper()
	j, err := OpenJournal(filepath.Join(w.folder, "journal"), job)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// do does the job and returns the failures.
func (w *town) do(t *testing.T, job Job, j *Journal, stop <-chan struct{}) (sums Sums, failures []error, err error) {
	t.Helper()
	sums, err = job.Do(t.Context(), w.client, w.people, j, stop, func(r Result) {
		if r.Err != nil {
			failures = append(failures, r.Err)
		}
	})
	return sums, failures, err
}

func (w *town) onTopic() (n int) {
	for _, c := range w.server.Contacts() {
		n += len(c.Topics)
	}
	return n
}

func TestDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 30)
		for _, step := range []struct {
			job  Job
			want string
		}{
			{Upsert(), "map[created:30]"}, {Upsert(), "map[updated:30]"}, {Add(w.topic), "map[added:30]"},
			{Remove(w.topic), "map[removed:30]"}, {Remove(w.topic), "map[not a member:30]"},
		} {
			sums, failures, err := w.do(t, step.job, nil, nil)
			if got := fmt.Sprint(sums.Outcomes); err != nil || len(failures) > 0 || got != step.want || sums.Failed+sums.Left+sums.Before > 0 {
				t.Errorf("%s: %+v, %v, %v; want %s", step.job.Name, sums, failures, err, step.want)
			}
		}
	})
}

// TestLostAnswers: an add whose answer was lost is not sent again by a later run, which says so; a removal is.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, effect := range []owlattest.FaultKind{owlattest.ResetBefore, owlattest.ResetAfter} {
			w := newTown(t, 20)
			if _, _, err := w.do(t, Upsert(), nil, nil); err != nil {
				t.Fatal(err)
			}
			add := Add(w.topic)
			if err := w.server.InjectFaults(owlattest.Fault{Kind: effect, Method: "POST", Route: owlattest.RouteTopicContacts, At: 5}); err != nil {
				t.Fatal(err)
			}
			j := w.journal(t, add)
			sums, failures, err := w.do(t, add, j, nil)
			if err != nil || len(failures) != 1 || sums.Outcomes["added"] != 19 {
				t.Fatalf("%+v, %v, %v", sums, failures, err)
			}
			if err := j.Close(true); err != nil {
				t.Fatal(err)
			}
			on := w.onTopic()
			j = w.journal(t, add)
			before := w.server.Stats().Writes
			sums, failures, err = w.do(t, add, j, nil)
			if err != nil || sums.Before != 19 || len(failures) != 1 || !errors.Is(failures[0], ErrUnsure) {
				t.Errorf("again: %+v, %v, %v", sums, failures, err)
			}
			if w.server.Stats().Writes != before || w.onTopic() != on {
				t.Error("an add was sent again")
			}
			if err := j.Close(false); err != nil {
				t.Fatal(err)
			}

			remove := Remove(w.topic)
			if err := w.server.InjectFaults(owlattest.Fault{Kind: effect, Method: "DELETE", Route: owlattest.RouteTopicContact, At: 5}); err != nil {
				t.Fatal(err)
			}
			j = w.journal(t, remove)
			if _, _, err := w.do(t, remove, j, nil); err != nil {
				t.Fatal(err)
			}
			_ = j.Close(true)
			j = w.journal(t, remove)
			if sums, failures, err := w.do(t, remove, j, nil); err != nil || len(failures) > 0 || sums.Failed > 0 || w.onTopic() != 0 {
				t.Errorf("removed again: %+v, %v, %v; %d on the topic", sums, failures, err, w.onTopic())
			}
			_ = j.Close(false)
		}
	})
}

// TestManyUnsureAddsAreNoOutage: what an earlier run left in doubt speaks of nobody's server, however much it is.
func TestManyUnsureAddsAreNoOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, outageAfter+5)
		add := Add(w.topic)
		j := w.journal(t, add)
		for _, e := range w.people {
			if err := j.note(e, sent, false); err != nil {
				t.Fatal(err)
			}
		}
		_ = j.Close(true)
		j = w.journal(t, add)
		if sums, _, err := w.do(t, add, j, nil); err != nil || sums.Failed != outageAfter+5 || sums.Left != 0 {
			t.Errorf("%+v, %v", sums, err)
		}
		_ = j.Close(false)
	})
}

// TestRefusedAddsAreTriedAgain: an answer that says no had no effect, so that nothing is unsure.
func TestRefusedAddsAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 3)
		add := Add(w.topic)
		j := w.journal(t, add)
		if sums, failures, err := w.do(t, add, j, nil); err != nil || sums.Failed != 3 || len(failures) != 3 {
			t.Fatalf("%+v, %v, %v", sums, failures, err)
		}
		_ = j.Close(true)
		if _, _, err := w.do(t, Upsert(), nil, nil); err != nil {
			t.Fatal(err)
		}
		j = w.journal(t, add)
		if sums, failures, err := w.do(t, add, j, nil); err != nil || sums.Outcomes["added"] != 3 {
			t.Errorf("%+v, %v, %v", sums, failures, err)
		}
		_ = j.Close(false)
	})
}

// TestWhatEndsAJob: what every further request would meet, a server that is away, a stop, the end of the context, and a journal that
// cannot be written. Everybody is then counted, and nothing more is sent.
func TestWhatEndsAJob(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{})
	close(stopped)
	for _, test := range []struct {
		name   string
		fault  *owlattest.Fault
		scopes []string
		stop   chan struct{}
		spoil  bool
		want   error
		most   int // requests
	}{
		{name: "a refused scope", scopes: []string{owlattest.ScopeContactsWrite}, want: owlat.ErrForbidden, most: 12},
		{name: "a server that is away", fault: &owlattest.Fault{Kind: owlattest.StatusError, Status: 503}, want: owlat.ErrInternal, most: 40},
		{name: "a stop", stop: stopped, want: reconcile.ErrInterrupted},
		{name: "a journal that cannot be written", spoil: true, want: os.ErrClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t, 100, test.scopes...)
				add := Add(w.topic)
				if test.fault != nil {
					if err := w.server.InjectFaults(*test.fault); err != nil {
						t.Fatal(err)
					}
				}
				j := w.journal(t, add)
				if test.spoil {
					_ = j.file.Close()
				}
				sums, _, err := w.do(t, add, j, test.stop)
				if !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if n := w.server.Stats().Total; n > test.most {
					t.Errorf("%d requests were sent, want %d at most", n, test.most)
				}
				if all := sums.Failed + sums.Left; all != 100 {
					t.Errorf("%+v counts %d of 100", sums, all)
				}
				_ = j.Close(true)
			})
		})
	}
}

// TestARefusedSecretEndsAnOptOut at once, or in its midst: whoever was opted out by then stays so, those who are gone are told as such, and the rest
// is left to another try.
func TestARefusedSecretEndsAnOptOut(t *testing.T) {
	t.Parallel()
	const secret = "the secret of links"
	for name, spoil := range map[string]func(s *owlattest.Server){
		"none":                 func(s *owlattest.Server) {},
		"of another":           func(s *owlattest.Server) { s.SetUnsubscribeSecret("that of another deployment") },
		"a clock off":          func(s *owlattest.Server) { s.ClockAhead = 100 * 24 * time.Hour },
		"refused in the midst": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t, 100)
			w.server.SetUnsubscribeSecret(secret)
			var ids []string
			for _, p := range w.people {
				id, err := w.server.AddContact(owlattest.ContactState{Email: p.Contact})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			if _, _, err := w.do(t, Add(w.topic), nil, nil); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.server.SoftDelete(ids[0]), w.server.Merge(ids[2], ids[1])); err != nil {
				t.Fatal(err)
			}
			if spoil != nil {
				spoil(&w.server)
			} else {
				time.AfterFunc(2*time.Second, func() { w.server.SetUnsubscribeSecret("changed") })
			}
			links, err := w.client.With(owlat.WithUnsubscribeSecret(secret))
			if err != nil {
				t.Fatal(err)
			}
			box := memory.New()
			sums, _, err := w.do(t, OptOut(&bar.Bars{Ledger: box, Links: links}), nil, nil)
			refusal, _ := errors.AsType[*owlat.PreferencesError](err)
			if all := sums.Failed + sums.Left + sums.Outcomes[bar.Now] + sums.Outcomes[bar.Here]; all != 100 || (refusal == nil) != (name == "none") {
				t.Errorf("%s: %+v, %v", name, sums, err)
			}
			told := 0
			for _, p := range w.people {
				known, err := box.Suppressions(t.Context(), []string{p.Contact})
				if err != nil {
					t.Fatal(err)
				}
				if !known[p.Contact].Told.IsZero() {
					told++
				}
			}
			if told != sums.Outcomes[bar.Now] {
				t.Errorf("%s: of %d addresses it is known that Owlat was told: %+v", name, told, sums)
			}
			switch n := w.server.Stats().Links.Total; {
			case name == "none" && (sums.Outcomes[bar.Now] != 98 || sums.Outcomes[bar.Here] != 2):
				t.Errorf("%s: %+v", name, sums)
			case name == "refused in the midst" && (sums.Outcomes[bar.Now] == 0 || sums.Left == 0):
				t.Errorf("%s: %+v", name, sums)
			case name != "none" && name != "refused in the midst" && n > 12:
				t.Errorf("%s: %d requests with a refused secret", name, n)
			}
			if on := w.onTopic(); on != 98-sums.Outcomes[bar.Now] {
				t.Errorf("%s: %d are on the topic after %+v", name, on, sums)
			}
		})
	}
}

func TestTheEndOfTheContextIsNoFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 50)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		sums, err := Upsert().Do(ctx, w.client, w.people, nil, nil, func(Result) {
			if n++; n == 20 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || sums.Outcomes["created"] < 20 || sums.Outcomes["created"]+sums.Failed+sums.Left != 50 || sums.Left == 0 {
			t.Errorf("%+v, %v", sums, err)
		}
	})
}

func TestJournal(t *testing.T) {
	t.Parallel()
	job := Job{Name: "topic add", Topic: "k57topic00", Deployment: "https://example.convex.site"}
	e := Entry{Contact: "ada@example.com"}
	path := filepath.Join(t.TempDir(), "people.csv.journal")
	j, err := OpenJournal(path, job)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path, job); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second process has the journal too: %v", err)
	}
	if err := errors.Join(j.note(e, sent, true), j.note(e, done, true), j.Close(true)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "ada") {
		t.Errorf("the journal names somebody: %v\n%s", err, text)
	}
	whole := string(text)
	for _, test := range []struct {
		name, text string
		job        Job
		says       string // empty: it is taken
		before     int
	}{
		{"as it is", whole, job, "", 1},
		{"cut off in its last line", whole[:len(whole)-5], job, "", 0},
		{"cut off in its first line", whole[:5], job, "", 0},
		{"empty", "", job, "", 0},
		{"another topic's", whole, Job{Name: job.Name, Topic: "k57topic01", Deployment: job.Deployment}, "another job", 0},
		{"another command's", whole, Job{Name: "topic remove", Topic: job.Topic, Deployment: job.Deployment}, "another job", 0},
		{"another deployment's", whole, Job{Name: job.Name, Topic: job.Topic, Deployment: "https://example.org"}, "another job", 0},
		{"the list itself", "email\nada@example.com\n", job, "no journal", 0},
		{"a file of objects", `{"email":"ada@example.com"}` + "\n", job, "no journal", 0},
		{"damaged", whole + "x\n", job, "damaged", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := OpenJournal(path, test.job)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v, want %q", err, test.says)
				}
				if kept, _ := os.ReadFile(path); string(kept) != test.text {
					t.Errorf("the file was changed: %q", kept)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := j.Before([]Entry{e, {Contact: "grace@example.com"}}); n != test.before {
				t.Errorf("%d were done before, want %d", n, test.before)
			}
			if err := errors.Join(j.note(Entry{Contact: "grace@example.com"}, done, false), j.Close(true)); err != nil {
				t.Fatal(err)
			}
			if j, err = OpenJournal(path, test.job); err != nil {
				t.Fatal(err)
			}
			if n := j.Before([]Entry{e, {Contact: "grace@example.com"}}); n != test.before+1 {
				t.Errorf("then %d were done before, want %d", n, test.before+1)
			}
			if err := j.Close(false); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the journal stays: %v", err)
			}
		})
	}
	if exitcode.Of(notOurs("x")) != exitcode.Usage {
		t.Error("a file that is no journal is a mistake of usage")
	}
}
