package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// perRequest is how long Owlat takes for a request to a slow world, and fresh how long its runs act on what they read: twelve
// requests.
const perRequest, fresh = 5 * time.Second, time.Minute

// table is a source that changes while a run reads it again and again.
type table struct {
	list   []owlatsync.Row
	before func(scan int) // called before the rows of a scan are read; the first scan is 1
	breaks int            // the scan that breaks off after three rows; 0: none
	scans  []time.Time
}

func (s *table) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	s.scans = append(s.scans, time.Now())
	if s.before != nil {
		s.before(len(s.scans))
	}
	if len(s.scans) == s.breaks {
		return rows{list: s.list[:3], err: errSource}.Rows(ctx)
	}
	return rows{list: slices.Clone(s.list)}.Rows(ctx)
}

// row returns the row with the key.
func (s *table) row(key string) *owlatsync.Row {
	return &s.list[slices.IndexFunc(s.list, func(r owlatsync.Row) bool { return r.Key == key })]
}

// leaves takes the row with the key out of the table.
func (s *table) leaves(key string) {
	s.list = slices.DeleteFunc(slices.Clone(s.list), func(r owlatsync.Row) bool { return r.Key == key })
}

// folk returns a table with so many rows, which all consent.
func folk(n int) *table {
	s := &table{}
	for i := range n {
		s.list = append(s.list, person1(i+1))
	}
	return s
}

func person1(i int) owlatsync.Row {
	return user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "Ada", true)
}

// slow is a transport on which each request takes its time.
type slow struct {
	http.RoundTripper
	before func(*http.Request)
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.before != nil {
		s.before(r)
	}
	if !strings.HasSuffix(r.URL.Path, owlattest.RouteHealth) { // nobody waits so long for the time
		time.Sleep(perRequest)
	}
	return s.RoundTripper.RoundTrip(r)
}

// newSlowWorld has one topic, and one request at a time.
func newSlowWorld(t *testing.T) (*world, *slow) {
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	transport := &slow{RoundTripper: w.server.Transport()}
	w.options = append(w.options, owlat.WithTransport(transport))
	w.workers, w.sync.Fresh = 1, fresh
	return w, transport
}

// values returns what was told of the kind.
func values[V progress.Value](w *world) (all []V) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.events {
		if v, ok := v.(V); ok {
			all = append(all, v)
		}
	}
	return all
}

// inSlowWorld plays a story in a bubble.
func inSlowWorld(t *testing.T, story func(t *testing.T, w *world, transport *slow)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, transport := newSlowWorld(t)
		defer func() { _ = w.ledger.Close() }()
		story(t, w, transport)
	})
}

// TestARunWithinItsTimeReadsOnce has runs that end in time, or with their last step when the time is over.
func TestARunWithinItsTimeReadsOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ rows, scans int }{{1, 1}, {5, 1}, {6, 1}, {7, 2}, {12, 2}, {13, 3}} {
		t.Run(fmt.Sprint(tt.rows), func(t *testing.T) {
			inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
				s := folk(tt.rows)
				report, err := w.try(t.Context(), runOptions{}, s)
				if err != nil || len(s.scans) != tt.scans {
					t.Errorf("%d scans, want %d: %v", len(s.scans), tt.scans, err)
				}
				expect(t, report, fmt.Sprintf("created %d", tt.rows))
				if n := len(values[progress.Afresh](w)); n != tt.scans-1 {
					t.Errorf("%d new stretches were told", n)
				}
			})
		})
	}
}

// TestALongRunNeverActsOnStaleNews changes the source while a run goes on, and watches what it sends from when on.
func TestALongRunNeverActsOnStaleNews(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, transport *slow) {
		s := folk(40)
		transport.before = func(*http.Request) {
			// What is in flight is finished: a create, its add, and the one before.
			if age := time.Since(s.scans[len(s.scans)-1]); age > fresh+2*perRequest {
				t.Errorf("a request is sent %s after the source was read", age)
			}
		}
		s.before = func(scan int) {
			if scan == 2 {
				s.row("30").Consents = []owlatsync.Consent{owlatsync.No}
				s.row("1").Consents = []owlatsync.Consent{owlatsync.No}
				s.row("2").Fields[owlatsync.FirstName].Value = "Grace"
				s.leaves("35")
				s.list = append(s.list, person1(41))
			}
		}
		report, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 40")
		if report.Rows != 40 || report.Requests.Total != 1+40+39+2 || report.Memberships.Added != 39 || report.Memberships.Removed != 1 {
			t.Errorf("the report %+v", report)
		}
		if _, there := w.server.Contact("p35@example.com"); there {
			t.Error("the contact of a row was created that had left the source")
		}
		for _, key := range []string{"1", "30"} {
			if topics := w.contact("p" + key + "@example.com").Topics; len(topics) > 0 {
				t.Errorf("row %s has withdrawn its consent and is on %v", key, topics)
			}
		}
		if c := w.contact("p2@example.com"); c.FirstName != "Grace" {
			t.Errorf("row 2 has the name %s", c.FirstName)
		}
		added := slices.ContainsFunc(w.server.History("p30@example.com"), func(e owlattest.Entry) bool { return e.Action == owlattest.Added })
		if added {
			t.Error("row 30 was added although it had withdrawn its consent")
		}
		if scans := len(s.scans); scans != 7 {
			t.Errorf("%d scans", scans)
		}
		runs, err := w.ledger.Runs(t.Context(), "users", 0)
		if err != nil || len(runs) != 1 || runs[0].Status != ledger.StatusOK || runs[0].Report.Requests != report.Requests {
			t.Errorf("the runs %+v: %v", runs, err)
		}
		if n := len(values[progress.Started](w)) + len(values[progress.Ended](w)); n != 2 {
			t.Errorf("%d beginnings and ends", n)
		}
		before := w.requests()
		expect(t, w.run(s.list...), "unchanged 40")
		w.sent(before)
	})
}

// TestAWithdrawalGoesFirstInItsStretch looks at the first request after the source was read again.
func TestAWithdrawalGoesFirstInItsStretch(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, transport *slow) {
		s := folk(20)
		var first []string
		transport.before = func(r *http.Request) {
			if len(first) < len(s.scans) {
				first = append(first, r.Method)
			}
		}
		s.before = func(scan int) {
			if scan == 3 {
				s.row("2").Consents = []owlatsync.Consent{owlatsync.No}
			}
		}
		if _, err := w.try(t.Context(), runOptions{}, s); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(first, " "); got != "GET POST DELETE POST" {
			t.Errorf("the stretches begin with %s", got)
		}
		if done := w.done("2"); done.Outcome != owlatsync.Created || done.Before != "" {
			t.Errorf("at first %+v was told", done)
		}
		var again []progress.RowDone
		for _, d := range values[progress.RowDone](w) {
			if d.Before != "" {
				again = append(again, d)
			}
		}
		if len(again) != 1 || again[0].Key != "2" || again[0].Before != owlatsync.Created || again[0].Outcome != owlatsync.Created {
			t.Errorf("told again: %+v", again)
		}
	})
}

// TestAYesCoversNoMoreThanWasAsked confirms a first run. What a guard would hold, and appears later, is held, and only that is new in
// it; what is new and passes is applied.
func TestAYesCoversNoMoreThanWasAsked(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		w.sync.Guards = reconcile.Guards{Removals: reconcile.Limit{Share: 0.1, Rows: 3}}
		s := folk(30)
		asked := 0
		withdraw := func(from, to int) {
			for i := from; i <= to; i++ {
				s.row(fmt.Sprint(i)).Consents = []owlatsync.Consent{owlatsync.No}
			}
		}
		s.before = func(scan int) {
			switch scan {
			case 2:
				s.list = append(s.list, person1(31))
			case 3:
				withdraw(1, 3) // passes
			case 4:
				withdraw(4, 7)
			}
		}
		yes := func(sum owlatsync.Summary) (bool, error) {
			asked++
			return true, nil
		}
		report, err := w.try(t.Context(), runOptions{Confirm: yes}, s)
		held, ok := errors.AsType[*reconcile.HeldError](err)
		if !ok || !held.Begun || len(held.Hits) != 1 || held.Hits[0].Guard != owlatsync.GuardRemovals || !strings.HasPrefix(held.Hits[0].Reason, "4 of ") {
			t.Fatalf("the run ended with %v", err)
		}
		if asked != 1 || len(s.scans) != 4 {
			t.Errorf("asked %d times, %d scans", asked, len(s.scans))
		}
		if on := w.contact("p2@example.com").Topics; len(on) > 0 {
			t.Error("three withdrawals pass, and were not applied")
		}
		if on := w.contact("p4@example.com").Topics; len(on) == 0 {
			t.Error("four withdrawals are held, and were applied")
		}
		if report.Outcomes[owlatsync.Created] == 0 || report.Outcomes[owlatsync.Skipped] == 0 || report.Rows != 31 {
			t.Errorf("the report %+v", report)
		}
		s.before, w.sync.Fresh = nil, -1
		if _, err := w.try(t.Context(), runOptions{Approve: held.Run}, s); err != nil {
			t.Fatal(err)
		}
		before := w.requests()
		expect(t, w.run(s.list...), "unchanged 31")
		w.sent(before)
		if on := w.contact("p31@example.com").Topics; len(on) == 0 {
			t.Error("a row that appeared in the midst of the run is on no topic")
		}
	})
}

// TestAnApprovalCoversWhatIsLeft approves more removals than pass, and lets a few more people withdraw in the midst of that run.
func TestAnApprovalCoversWhatIsLeft(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(60)
		if _, err := w.try(t.Context(), runOptions{}, s); err != nil {
			t.Fatal(err)
		}
		w.sync.Guards = reconcile.Guards{Removals: reconcile.Limit{Share: 0.1, Rows: 10}}
		withdraw := func(from, to int) {
			for i := from; i <= to; i++ {
				s.row(fmt.Sprint(i)).Consents = []owlatsync.Consent{owlatsync.No}
			}
		}
		withdraw(1, 30)
		_, err := w.try(t.Context(), runOptions{}, s)
		held, ok := errors.AsType[*reconcile.HeldError](err)
		if !ok || held.Begun {
			t.Fatalf("the run ended with %v", err)
		}
		s.scans = nil
		s.before = func(scan int) {
			switch scan {
			case 2:
				withdraw(31, 38)
				s.row("30").Consents = []owlatsync.Consent{owlatsync.Yes} // no longer wanted
			}
		}
		report, err := w.try(t.Context(), runOptions{Approve: held.Run}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "updated 37, unchanged 23")
		if len(s.scans) != 4 || report.Memberships.Removed != 37 {
			t.Errorf("%d scans, %d removed", len(s.scans), report.Memberships.Removed)
		}
		first, err := w.ledger.Run(t.Context(), held.Run)
		if err != nil || first.Status != ledger.StatusApproved {
			t.Errorf("the held run is %+v: %v", first, err)
		}
	})
}

// TestAnApprovedRunThatIsHeldLater holds the rest of an approved run, whose own plan is settled.
func TestAnApprovedRunThatIsHeldLater(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(20)
		_, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		w.sync.Guards = reconcile.Guards{Removals: reconcile.Limit{Share: 0, Rows: 2}}
		for i := range 15 {
			s.list[i].Consents = []owlatsync.Consent{owlatsync.No}
		}
		_, err = w.try(t.Context(), runOptions{}, s)
		held, _ := errors.AsType[*reconcile.HeldError](err)
		s.scans = nil
		s.before = func(scan int) {
			if scan == 2 {
				s.list = s.list[:0]
			}
		}
		_, err = w.try(t.Context(), runOptions{Approve: held.Run}, s)
		if again, ok := errors.AsType[*reconcile.HeldError](err); !ok || !again.Begun || again.Hits[0].Guard != owlatsync.GuardEmptySource {
			t.Fatalf("the run ended with %v", err)
		}
		runs, err := w.ledger.Runs(t.Context(), "users", 0)
		if err != nil || runs[0].Status != ledger.StatusHeld || runs[1].Status != ledger.StatusApproved {
			t.Errorf("the runs %+v: %v", runs, err)
		}
	})
}

// TestALimitCountsOverTheWholeRun asks for fewer rows than there are, and more than one stretch has room for.
func TestALimitCountsOverTheWholeRun(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(30)
		s.before = func(scan int) {
			if scan == 2 {
				s.row("1").Fields[owlatsync.FirstName].Value = "Grace" // it is chosen already
			}
		}
		report, err := w.try(t.Context(), runOptions{Limit: 14}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 14, skipped 16")
		if w.contact("p1@example.com").FirstName != "Grace" {
			t.Error("a row that was chosen has changed, and was left")
		}
		if len(s.scans) != 3 {
			t.Errorf("%d scans", len(s.scans))
		}
		report, err = w.try(t.Context(), runOptions{Only: []string{"20", "25"}}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 2, unchanged 14, skipped 14")
	})
}

// TestASourceThatCannotBeReadAgain ends a run whose first stretch was applied. Each row is told once.
func TestASourceThatCannotBeReadAgain(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(20)
		s.list[19].Email.Value = "nobody"
		s.before = func(scan int) {
			if scan == 3 {
				s.list[1].Email.Value = "two@"
			}
		}
		s.breaks = 3
		report, err := w.try(t.Context(), runOptions{}, s)
		broken, ok := errors.AsType[*reconcile.SourceError](err)
		if !ok || !broken.Later || broken.Rows != 3 || strings.Contains(err.Error(), "nothing was applied") {
			t.Fatalf("the run ended with %v", err)
		}
		expect(t, report, "created 12, invalid 1, skipped 7")
		if report.Rows != 20 {
			t.Errorf("%d rows", report.Rows)
		}
		told := make(map[string]int)
		for _, d := range values[progress.RowDone](w) {
			told[d.Key]++
		}
		if len(told) != 20 || told["20"] != 1 || told["2"] != 1 {
			t.Errorf("told of rows: %v", told)
		}
		expect(t, w.run(s.list...), "created 7, unchanged 11, invalid 2")
	})
}

// TestAStopBetweenStretches asks the run to stop while its last request before a new reading is under way.
func TestAStopBetweenStretches(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, transport *slow) {
		s := folk(20)
		w.workers = 2
		var offset atomic.Bool
		transport.before = func(r *http.Request) {
			if r.Method == http.MethodPost && offset.CompareAndSwap(false, true) {
				time.Sleep(3 * time.Second)
			}
		}
		stop := make(chan struct{})
		time.AfterFunc(67*time.Second, func() { close(stop) }) // one row is in flight, and the other worker takes no more
		report, err := w.try(t.Context(), runOptions{Stop: stop}, s)
		if !errors.Is(err, reconcile.ErrInterrupted) || len(s.scans) != 1 {
			t.Fatalf("%d scans, and the run ended with %v", len(s.scans), err)
		}
		expect(t, report, "created 12, skipped 8")
	})
}

// TestRemovalsWaitForTheLastStretch lets a row leave in the midst of a run that created its contact, and one come back.
func TestRemovalsWaitForTheLastStretch(t *testing.T) {
	t.Parallel()
	for _, failing := range []bool{false, true} {
		t.Run(fmt.Sprint(failing), func(t *testing.T) {
			inSlowWorld(t, func(t *testing.T, w *world, transport *slow) {
				w.sync.OnMissing = reconcile.MissingDelete
				s := folk(20)
				if failing {
					if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 503, Method: "POST", Route: owlattest.RouteContacts, At: 1, Count: 3}); err != nil {
						t.Fatal(err)
					}
				}
				s.before = func(scan int) {
					if scan == 2 {
						s.leaves("3")
					}
				}
				report, err := w.try(t.Context(), runOptions{}, s)
				if err != nil {
					t.Fatal(err)
				}
				_, there := w.server.Contact("p3@example.com")
				if there != failing {
					t.Errorf("the contact of the row that left is there: %v", there)
				}
				if !failing {
					expect(t, report, "created 19, removed 1")
					if report.Rows != 19 || report.Missing != 1 {
						t.Errorf("%d rows, %d missing", report.Rows, report.Missing)
					}
				}
			})
		})
	}
}

// TestALongRunListsOnce has contacts that were in Owlat before, and counts the listings.
func TestALongRunListsOnce(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(20)
		for i := range 20 {
			if _, err := w.server.AddContact(owlattest.ContactState{Email: fmt.Sprintf("p%d@example.com", i+1), FirstName: "Before"}); err != nil {
				t.Fatal(err)
			}
		}
		before := w.requests()
		report, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "adopted 20")
		w.sent(before, "GET /contacts 1", "PUT /contacts/{contact} 20")
		if len(s.scans) != 2 {
			t.Errorf("%d scans", len(s.scans))
		}
	})
}

// TestAnAnswerThatTakesLong reads the source again before the first write, because the plan was too old when the yes came.
func TestAnAnswerThatTakesLong(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		w.sync.Guards = reconcile.Guards{}
		s := folk(3)
		s.before = func(scan int) {
			if scan == 2 {
				s.row("2").Consents = []owlatsync.Consent{owlatsync.No}
			}
		}
		report, err := w.try(t.Context(), runOptions{Confirm: func(owlatsync.Summary) (bool, error) {
			time.Sleep(time.Hour)
			return true, nil
		}}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 3")
		if on := w.contact("p2@example.com").Topics; len(on) > 0 || len(s.scans) != 2 {
			t.Errorf("%d scans, and who withdrew meanwhile is on %v", len(s.scans), on)
		}
	})
}

// TestTheCostOfStretches counts the scans of a run of an hour: one for each stretch.
func TestTheCostOfStretches(t *testing.T) {
	t.Parallel()
	const rows = 120 // each with two requests, of 15 seconds
	for _, tt := range []struct {
		fresh time.Duration
		scans int
	}{{-1, 1}, {0, 6}, {time.Minute, 60}, {15 * time.Minute, 4}, {time.Hour, 1}} {
		t.Run(fmt.Sprint(tt.fresh), func(t *testing.T) {
			inSlowWorld(t, func(t *testing.T, w *world, transport *slow) {
				transport.before = func(r *http.Request) {
					if r.Method != http.MethodGet {
						time.Sleep(time.Hour/(2*rows) - perRequest)
					}
				}
				w.sync.Fresh = tt.fresh
				s := folk(rows)
				report, err := w.try(t.Context(), runOptions{}, s)
				if err != nil || report.Requests.Writes != 2*rows || len(s.scans) != tt.scans {
					t.Errorf("%d requests, %d scans: %v", report.Requests.Total, len(s.scans), err)
				}
			})
		})
	}
}

// slowTable is a table whose scan takes long.
type slowTable struct {
	*table
	takes time.Duration
}

func (s slowTable) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for row, err := range s.table.Rows(ctx) {
			if !yield(row, err) {
				return
			}
		}
		time.Sleep(s.takes)
	}
}

// TestAScanThatTakesLonger reads for two minutes what is fresh for one: the run comes to its end, with half of its time spent on reading.
func TestAScanThatTakesLonger(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(36)
		if _, err := w.try(t.Context(), runOptions{}, slowTable{s, 2 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		if len(s.scans) != 3 {
			t.Errorf("%d scans", len(s.scans))
		}
	})
}

// TestChangesInStretches reads only what changed: the mark moves once the run has come to its end, and what a stretch left is read
// again.
func TestChangesInStretches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, reconcile.Topic{ID: "news", When: true})
		defer u.close()
		u.put(100, "p100@example.com", "Ada")
		u.synced("full: created 1")
		for i := range 20 {
			u.put(i+1, fmt.Sprintf("p%d@example.com", i+1), "Ada")
		}
		transport := &slow{RoundTripper: u.server.Transport()}
		u.options = append(u.options, owlat.WithTransport(transport))
		u.workers, u.sync.Fresh = 1, fresh
		sent := 0
		transport.before = func(*http.Request) {
			if sent++; sent == 10 { // in the first stretch, about a row of the second
				u.version++
				u.exec("UPDATE users SET news = 0, v = ? WHERE id = 15", u.version)
				u.put(21, "p21@example.com", "Ada")
			}
		}
		u.synced("changes: created 21 unchanged 1")
		if on := u.contact("p15@example.com").Topics; len(on) > 0 {
			t.Errorf("who withdrew is on %v", on)
		}
		mark, err := u.ledger.Bookmark(t.Context(), "users")
		if err != nil || mark.Entries != 22 || len(mark.Again) > 0 {
			t.Errorf("the bookmark %+v: %v", mark, err)
		}
		before := u.requests()
		u.put(22, "p22@example.com", "Ada")
		u.synced("changes: created 1 unchanged 2")
		u.sent(before, "POST /contacts 1", "POST /topics/{topic}/contacts 1")
	})
}

// TestWhatStaysUnknownStaysFailed has a run report a row, once, of whose add nobody knows what became: it stays failed for the whole run,
// although the later stretches find nothing to do for it.
func TestWhatStaysUnknownStaysFailed(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		fault := owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteTopicContacts, Count: 3}
		if err := w.server.InjectFaults(fault); err != nil {
			t.Fatal(err)
		}
		s := folk(20)
		expect(t, w.run(s.list[0]), "failed 1")
		if err := w.server.Unsubscribe(w.contact("p1@example.com").ID, ""); err != nil {
			t.Fatal(err)
		}
		report, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 19, failed 1")
		if len(s.scans) < 3 {
			t.Errorf("%d scans", len(s.scans))
		}
		w.sync.Fresh = -1
		expect(t, w.run(s.list...), "unchanged 20")
	})
}

// TestARowThatFailedWaitsForTheNextRun lets creates fail in the first stretch: the others do not try again, unless the row changes.
func TestARowThatFailedWaitsForTheNextRun(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		fault := owlattest.Fault{Kind: owlattest.StatusError, Status: 503, Method: "POST", Route: owlattest.RouteContacts, Count: 6}
		if err := w.server.InjectFaults(fault); err != nil {
			t.Fatal(err)
		}
		s := folk(20)
		s.before = func(scan int) {
			if scan == 3 {
				s.row("2").Fields[owlatsync.FirstName].Value = "Grace"
			}
		}
		report, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 19, failed 1")
		var of []string
		for _, d := range values[progress.RowDone](w) {
			if d.Key == "1" || d.Key == "2" {
				of = append(of, fmt.Sprintf("%s %s after %q", d.Key, d.Outcome, d.Before))
			}
		}
		if got := strings.Join(of, ", "); got != `1 failed after "", 2 failed after "", 2 created after "failed"` {
			t.Errorf("told: %s", got)
		}
		expect(t, w.run(s.list...), "created 1, unchanged 19")
	})
}

// TestARowThatFailedIsRaisedLater: a row fails for good in the first stretch and is in step after it. Then a duplicate says yes to another
// topic, so that there is something to do for the row again. It counts once.
func TestARowThatFailedIsRaisedLater(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		w.sync.Duplicates = reconcile.ConsentAny
		w.sync.Topics = append(w.sync.Topics, reconcile.Topic{ID: w.server.AddTopic("offers", false), When: true})
		fault := owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteTopicContacts, Count: 3}
		if err := w.server.InjectFaults(fault); err != nil {
			t.Fatal(err)
		}
		s := folk(20)
		for i := range s.list {
			s.list[i].Consents = []owlatsync.Consent{owlatsync.Yes, owlatsync.No}
		}
		expect(t, w.run(s.list[0]), "failed 1")
		if err := w.server.Unsubscribe(w.contact("p1@example.com").ID, ""); err != nil {
			t.Fatal(err)
		}
		s.before = func(scan int) {
			if scan == 2 {
				s.list = append(s.list, user("1 again", "p1@example.com", "Ada", false, true))
			}
		}
		report, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 19, duplicate 1, failed 1")
		if report.Rows != 21 || len(s.scans) < 3 {
			t.Errorf("%d rows, %d scans", report.Rows, len(s.scans))
		}
		if c := w.contact("p1@example.com"); len(c.Topics) != 1 {
			t.Errorf("Owlat holds %+v", c)
		}
		w.sync.Fresh = -1
		expect(t, w.run(s.list...), "unchanged 20, duplicate 1")
	})
}

// TestARaisedRowThatFailedWaitsForTheNextRun: a row that fails with the consents of its duplicate is tried once in a run.
func TestARaisedRowThatFailedWaitsForTheNextRun(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		w.sync.Duplicates = reconcile.ConsentAny
		s := folk(20)
		s.list[0].Consents[0] = owlatsync.No
		w.run(s.list[0])
		s.list = append([]owlatsync.Row{user("1 again", "p1@example.com", "Ada", true)}, s.list...)
		fault := owlattest.Fault{Kind: owlattest.StatusError, Status: 503, Method: "POST", Route: owlattest.RouteTopicContacts, Count: 3}
		if err := w.server.InjectFaults(fault); err != nil {
			t.Fatal(err)
		}
		report, err := w.try(t.Context(), runOptions{}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "created 19, duplicate 1, failed 1")
		if len(s.scans) < 3 {
			t.Errorf("%d scans", len(s.scans))
		}
		w.sync.Fresh = -1
		expect(t, w.run(s.list...), "updated 1, unchanged 19, duplicate 1")
	})
}

// TestALimitAndALaterWithdrawal: a no that the source says in a later stretch takes what is left of the limit before anything else, and
// counts. What the limit leaves out is told.
func TestALimitAndALaterWithdrawal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit int
		want  string
		off   int // people off the topic in the end
	}{
		{14, "created 12, updated 2, skipped 18", 2},
		{8, "created 6, updated 2, skipped 24", 2},
		{7, "created 6, updated 1, skipped 25", 1},
		{6, "created 6, unchanged 2, skipped 24", 0}, // the first stretch has done all that was asked for
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := newSlowWorld(t)
			defer w.ledger.Close()
			s := folk(32)
			w.run(s.list[30:]...)
			s.before = func(scan int) {
				if scan == 2 {
					s.row("31").Consents[0], s.row("32").Consents[0] = owlatsync.No, owlatsync.No
				}
			}
			report, err := w.try(t.Context(), runOptions{Limit: tt.limit}, s)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, report, tt.want)
			off := 0
			for _, email := range []string{"p31@example.com", "p32@example.com"} {
				if !w.on(email) {
					off++
				}
			}
			if off != tt.off {
				t.Errorf("limit %d: %d are off the topic, want %d", tt.limit, off, tt.off)
			}
			for _, d := range w.outcomes(owlatsync.Skipped) {
				if !strings.Contains(d.Reason, "beyond the limit") {
					t.Errorf("limit %d: told %+v", tt.limit, d)
				}
			}
			s.before = nil
			report, err = w.try(t.Context(), runOptions{Only: []string{"31", "32"}}, s)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.scans) > 1 && (w.on("p31@example.com") || w.on("p32@example.com")) && tt.off > 0 {
				t.Errorf("limit %d: the next run leaves a no undone: %v", tt.limit, report.Outcomes)
			}
		})
	}
}

// TestARowThatALimitChoseGoesOn: the early withdrawal of a row is sent in one stretch and the rest of it in the next. It counts once.
func TestARowThatALimitChoseGoesOn(t *testing.T) {
	inSlowWorld(t, func(t *testing.T, w *world, _ *slow) {
		s := folk(20)
		w.run(s.list...)
		for i := range s.list {
			s.list[i].Consents[0], s.list[i].Fields[owlatsync.FirstName].Value = owlatsync.No, "Grace"
		}
		report, err := w.try(t.Context(), runOptions{Limit: 15}, s)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, report, "updated 15, skipped 5")
		if report.Memberships.Removed != 15 || len(s.scans) < 3 {
			t.Errorf("%+v after %d scans", report.Memberships, len(s.scans))
		}
		for i := range s.list {
			if c := w.contact(fmt.Sprintf("p%d@example.com", i+1)); (len(c.Topics) == 0) != (c.FirstName == "Grace") {
				t.Errorf("Owlat holds %+v", c)
			}
		}
	})
}
