package ledgertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/ledger"
)

const deploymentOfAll = "https://owlat.example.com"

// furnish puts something of every kind into a ledger.
func furnish(t *testing.T, l Ledger) {
	t.Helper()
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run", Deployment: deploymentOfAll})
	noError(t, err)
	doubtful := entry("doubt")
	doubtful.Doubt, doubtful.Fingerprint = true, ledger.Fingerprint{}
	recordUnder(t, k, "users", fullEntry("full \xff\x00"), entry("2"), doubtful, entry("gone"))
	recordUnder(t, k, "orders", entry("2"), entry("1"))
	recordUnder(t, k, "users", entry("1"), fullEntry("full \xff\x00"), entry("removed"))
	noError(t, k.Remove(t.Context(), "users", []string{"removed"}))
	for _, run := range []ledger.Run{fullRun(0, "users", ledger.StatusOK), fullRun(0, "orders", ledger.StatusHeld)} {
		run.ID = begin(t, k, run.Sync)
		run.PlanForm = 1
		keep(t, k, run.ID, item(1, 1, "2"))
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: run, Adopted: true, Bookmark: &ledger.Bookmark{Mark: "x"}}))
	}
	begin(t, k, "empty")
	noError(t, k.Release())
	left := func(contact string) ledger.OptOut {
		return ledger.OptOut{ContactID: contact, Topic: "topic1", At: at(5)}
	}
	written := left("contact1")
	written.Written, written.Since = at(6), at(4)
	noError(t, l.NoteOptOuts(t.Context(), written, left("contactgone")))
	_, err = l.TakeIn(t.Context(), ledger.News{
		Feedback: ledger.Feedback{Event: "email.complained", Received: at(7)}, Suppressions: []ledger.Suppression{
			{Email: "row1@example.com", Reason: ledger.Complained, At: at(5), Sent: at(6), Told: at(7)}, {Email: "rowgone@example.com", Reason: ledger.Bounced, At: at(5)},
		},
	})
	noError(t, err)
	noError(t, l.NoteAudit(t.Context(), ledger.AuditLine{Who: "ops", Way: ledger.ByPage, What: ledger.DeedRetry}))
	noError(t, l.NoteAudit(t.Context(), ledger.AuditLine{Who: "ada \xff", Way: ledger.ByAPI, What: ledger.DeedApprove, Sync: "users", Run: 1, Count: 3}))
	forgetPerson(t, l, "rowgone@example.com", 1)
}

// taken is everything in a snapshot.
type taken struct {
	Deployment string
	Secret     []byte
	Last       int64
	Syncs      []ledger.SyncRecord
	Runs       []ledger.Run
	Entries    []ledger.Holder
	History    []ledger.HistoryLine
	OptOuts    []ledger.OptOut
	Suppressed []ledger.Suppression
	Forgotten  [][]byte
	Audit      []ledger.AuditLine
}

func snapshotOf(t *testing.T, l Ledger) (all taken) {
	t.Helper()
	noError(t, l.Snapshot(t.Context(), func(s ledger.Snapshot) error {
		all = take(t, s)
		return nil
	}))
	return all
}

func take(t *testing.T, s ledger.Snapshot) taken {
	t.Helper()
	return taken{
		s.Deployment(), s.ForgetSecret(), s.LastNumber(), collect(t, s.Syncs()), collect(t, s.Runs()), collect(t, s.Entries()),
		collect(t, s.History()), collect(t, s.OptOuts()), collect(t, s.Suppressions()), collect(t, s.Forgotten()),
		collect(t, s.Audit()),
	}
}

// load passes everything to a loader.
func (all taken) load(l ledger.Loader) error {
	var errs []error
	if all.Secret != nil {
		errs = append(errs, l.SetForgetSecret(all.Secret))
	}
	for _, s := range all.Syncs {
		errs = append(errs, l.AddSync(s))
	}
	for _, r := range all.Runs {
		errs = append(errs, l.AddRun(r))
	}
	for _, h := range all.Entries {
		errs = append(errs, l.AddEntry(h))
	}
	for _, line := range all.History {
		errs = append(errs, l.AddHistory(line))
	}
	for _, o := range all.OptOuts {
		errs = append(errs, l.AddOptOut(o))
	}
	for _, s := range all.Suppressed {
		errs = append(errs, l.AddSuppression(s))
	}
	for _, hash := range all.Forgotten {
		errs = append(errs, l.AddForgotten(hash))
	}
	for _, line := range all.Audit {
		errs = append(errs, l.AddAudit(line))
	}
	return errors.Join(append(errs, l.SetLastNumber(all.Last))...)
}

func testSnapshot(t *testing.T, open Open) {
	t.Run("of a new ledger", func(t *testing.T) {
		t.Parallel()
		same(t, "snapshot", snapshotOf(t, fresh(t, open)), taken{})
	})
	t.Run("everything", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		furnish(t, l)
		got := snapshotOf(t, l)
		same(t, "deployment", got.Deployment, deploymentOfAll)
		same(t, "length of the secret", len(got.Secret), ledger.HashSize)
		slices.SortFunc(got.Syncs, func(a, b ledger.SyncRecord) int { return strings.Compare(a.Name, b.Name) })
		same(t, "syncs", got.Syncs, []ledger.SyncRecord{{Name: "empty"}, {Name: "orders", Adopted: true}, {Name: "users", Adopted: true}})
		runs, err := l.Runs(t.Context(), "", 0)
		noError(t, err)
		slices.Reverse(runs)
		same(t, "runs", got.Runs, runs)
		keys := make(map[string][]string)
		for _, h := range got.Entries {
			keys[h.Sync] = append(keys[h.Sync], h.Entry.Key)
			same(t, "entry", h.Entry, entriesOf(t, l, h.Sync, h.Entry.Key)[h.Entry.Key])
		}
		same(t, "entries", keys, map[string][]string{"users": {"full \xff\x00", "2", "doubt", "1"}, "orders": {"2", "1"}})
		lines, err := l.Changes(t.Context(), 0, 0)
		noError(t, err)
		same(t, "history", got.History, lines)
		same(t, "the last number", got.Last, lines[len(lines)-1].Number)
		if len(got.OptOuts) != 2 || len(got.Forgotten) != 1 {
			t.Errorf("%d opt-outs, %d forgotten", len(got.OptOuts), len(got.Forgotten))
		}
		for _, o := range got.OptOuts {
			if o.ContactID != "contact1" && o.ContactID != ledger.HashContact(got.Secret, "contactgone") {
				t.Errorf("opt-out of %s", o.ContactID)
			}
		}
		same(t, "suppressions", got.Suppressed, []ledger.Suppression{
			{Email: ledger.HashSuppressed(got.Secret, "rowgone@example.com"), Reason: ledger.Bounced, At: at(5).UTC()},
			{Email: "row1@example.com", Reason: ledger.Complained, At: at(5).UTC(), Sent: at(6).UTC(), Told: at(7).UTC()},
		})
		audit, err := l.AuditLines(t.Context(), 0, 0)
		noError(t, err)
		slices.Reverse(audit)
		same(t, "audit", got.Audit, audit)
		same(t, "forgotten", got.Forgotten, [][]byte{ledger.HashAddress(got.Secret, "rowgone@example.com")})
	})
	t.Run("as of one instant", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		furnish(t, l)
		want := snapshotOf(t, l)
		noError(t, l.Snapshot(t.Context(), func(s ledger.Snapshot) error {
			same(t, "deployment", s.Deployment(), deploymentOfAll)
			record(t, l, "users", entry("later"), entry("1"))
			remove(t, l, "users", "2")
			noError(t, l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "later", Topic: "t", At: at(1)}))
			_, err := l.Lift(t.Context(), "row1@example.com")
			noError(t, err)
			same(t, "snapshot", take(t, s), want)
			return nil
		}))
	})
	t.Run("the error of the reader, and of the context", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		furnish(t, l)
		enough := errors.New("enough")
		if err := l.Snapshot(t.Context(), func(ledger.Snapshot) error { return enough }); !errors.Is(err, enough) || err.Error() != "enough" {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := l.Snapshot(ctx, func(s ledger.Snapshot) error {
			cancel()
			for _, err := range s.Entries() {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled snapshot: %v", err)
		}
		record(t, l, "users", entry("after")) // nothing is left locked
	})
}

func testLoad(t *testing.T, open Open) {
	from := fresh(t, open)
	furnish(t, from)
	all := snapshotOf(t, from)
	t.Run("what a snapshot gave", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		noError(t, l.Load(t.Context(), all.Deployment, all.load))
		noError(t, l.Close())
		l = reopen(t, open, folder)
		want := all
		want.Runs = slices.Clone(all.Runs)
		want.Runs[1].Status, want.Runs[1].PlanForm = ledger.StatusSuperseded, 0 // its plan is not there
		same(t, "snapshot", snapshotOf(t, l), want)
		same(t, "forgotten", forgotten(t, l, "rowgone@example.com", "row1@example.com"), []string{"rowgone@example.com"})
		optOuts, err := l.OptOuts(t.Context(), []string{"contactgone"})
		noError(t, err)
		suppressed, err := l.Suppressions(t.Context(), []string{"rowgone@example.com"})
		noError(t, err)
		same(t, "suppressions of a forgotten person", len(suppressed), 1)
		same(t, "opt-outs of a forgotten person", optOuts, []ledger.OptOut{{ContactID: "contactgone", Topic: "topic1", At: at(5)}})
		for sync, count := range map[string]int{"users": 4, "orders": 2, "empty": 0} {
			same(t, "index of "+sync, len(indexOf(t, l, sync)), count)
		}
		same(t, "index", indexOf(t, l, "orders"), indexOf(t, from, "orders"))
		same(t, "plan", len(collect(t, l.Plan(t.Context(), all.Runs[1].ID))), 0)

		// Numbers go on where the other ledger stopped.
		k := hold(t, l)
		if id := begin(t, k, "users"); id <= all.Runs[len(all.Runs)-1].ID {
			t.Errorf("the next run has the number %d", id)
		}
		if last := all.Runs[len(all.Runs)-1].Epoch; k.Epoch() <= last {
			t.Errorf("epoch %d after %d", k.Epoch(), last)
		}
		noError(t, l.NoteAudit(t.Context(), ledger.AuditLine{Who: "ops", Way: ledger.ByPage, What: ledger.DeedRun}))
		audit, err := l.AuditLines(t.Context(), 0, 1)
		noError(t, err)
		same(t, "the next audit line", audit[0].Number, int64(3))
		recordUnder(t, k, "users", entry("next"))
		next, _ := changes(t, l, all.Last, 0)
		same(t, "changes", next, []ledger.HistoryLine{{Sync: "users", Key: "next", Run: 1, Event: "created"}})
	})
	t.Run("a sync that is set back, until a run comes to its end", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		noError(t, l.Load(t.Context(), "", func(into ledger.Loader) error {
			return errors.Join(into.AddSync(ledger.SyncRecord{Name: "users", SetBack: at(1)}), into.AddSync(ledger.SyncRecord{Name: "users", Adopted: true}),
				into.AddSync(ledger.SyncRecord{Name: "orders", SetBack: at(1)}))
		}))
		setBack := func(sync string) time.Time {
			t.Helper()
			state, err := l.SyncState(t.Context(), sync)
			noError(t, err)
			return state.SetBack
		}
		same(t, "a sync that is not known yet", setBack("new"), at(1).UTC())
		k := hold(t, l)
		for _, ending := range []ledger.Ending{{}, {Adopted: true}} {
			same(t, "set back", setBack("users"), at(1).UTC())
			ending.Run = ledger.Run{ID: begin(t, k, "users"), Status: ledger.StatusOK}
			noError(t, k.EndRun(t.Context(), ending))
		}
		same(t, "set back after a whole run", []time.Time{setBack("users"), setBack("orders")}, []time.Time{{}, at(1).UTC()})
	})
	t.Run("numbers of lines that are gone", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		noError(t, l.Load(t.Context(), "", func(into ledger.Loader) error {
			return errors.Join(into.AddHistory(ledger.HistoryLine{Sync: "users", Key: "1", At: at(1), Event: "a"}),
				into.AddHistory(ledger.HistoryLine{Number: 9, Sync: "users", Key: "1", At: at(1), Event: "b"}),
				into.AddHistory(ledger.HistoryLine{Sync: "users", Key: "1", At: at(1), Event: "c"}), into.SetLastNumber(1000))
		}))
		same(t, "the last number", snapshotOf(t, l).Last, int64(1000))
		record(t, l, "users", entry("1"))
		next, last := changes(t, l, 1000, 0)
		same(t, "changes", next, []ledger.HistoryLine{{Sync: "users", Key: "1", Run: 1, Event: "created"}})
		same(t, "number", last, int64(1001))
		var numbers []int64
		for _, line := range historyOf(t, l, "users", "1") {
			numbers = append(numbers, line.Number)
		}
		same(t, "numbers", numbers, []int64{1, 9, 10, 1001})
	})
	t.Run("all or none", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		enough := errors.New("enough")
		err := l.Load(t.Context(), all.Deployment, func(into ledger.Loader) error {
			noError(t, all.load(into))
			return enough
		})
		if !errors.Is(err, enough) || err.Error() != "enough" {
			t.Errorf("error %v", err)
		}
		for name, again := range map[string]func(ledger.Loader) error{
			"sync without a name": func(l ledger.Loader) error { return l.AddSync(ledger.SyncRecord{}) },
			"run of no sync":      func(l ledger.Loader) error { return l.AddRun(ledger.Run{ID: 99}) },
			"entry of no sync":    func(l ledger.Loader) error { return l.AddEntry(ledger.Holder{Entry: entry("99")}) },
			"line of no sync":     func(l ledger.Loader) error { return l.AddHistory(ledger.HistoryLine{Key: "1", At: at(1)}) },
			"opt-out of nobody":   func(l ledger.Loader) error { return l.AddOptOut(ledger.OptOut{Topic: "t", At: at(1)}) },
			"a mood": func(l ledger.Loader) error {
				return l.AddSuppression(ledger.Suppression{Email: "a", Reason: "mood", At: at(1)})
			},
			"entry without a key":  func(l ledger.Loader) error { return l.AddEntry(ledger.Holder{Sync: "users", Entry: &ledger.Entry{}}) },
			"a hash that is short": func(l ledger.Loader) error { return l.AddForgotten([]byte("short")) },
			"an audit of nobody":   func(l ledger.Loader) error { return l.AddAudit(ledger.AuditLine{Number: 9, What: ledger.DeedRun}) },
			"a short secret":       func(l ledger.Loader) error { return l.SetForgetSecret([]byte("short")) },
		} {
			err := l.Load(t.Context(), "", func(into ledger.Loader) error { return errors.Join(all.load(into), again(into)) })
			if err == nil {
				t.Errorf("%s: loaded", name)
			}
		}
		same(t, "snapshot", snapshotOf(t, l), taken{})
		noError(t, l.Load(t.Context(), all.Deployment, all.load))
	})
	t.Run("no contradictions", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		for name, again := range map[string]func(ledger.Loader) error{
			"a run twice":      func(l ledger.Loader) error { return l.AddRun(all.Runs[0]) },
			"an entry twice":   func(l ledger.Loader) error { return l.AddEntry(all.Entries[0]) },
			"a line twice":     func(l ledger.Loader) error { return l.AddHistory(all.History[0]) },
			"an opt-out twice": func(l ledger.Loader) error { return l.AddOptOut(all.OptOuts[0]) },
			"suppressed twice": func(l ledger.Loader) error { return l.AddSuppression(all.Suppressed[0]) },
			"an action twice":  func(l ledger.Loader) error { return l.AddAudit(all.Audit[0]) },
			"a hash twice":     func(l ledger.Loader) error { return l.AddForgotten(all.Forgotten[0]) },
			"another secret":   func(l ledger.Loader) error { return l.SetForgetSecret(make([]byte, ledger.HashSize)) },
		} {
			err := l.Load(t.Context(), all.Deployment, func(into ledger.Loader) error {
				noError(t, all.load(into))
				return again(into)
			})
			if !errors.Is(err, ledger.ErrContradiction) {
				t.Errorf("%s: %v", name, err)
			}
			same(t, name, snapshotOf(t, l), taken{})
		}
	})
	t.Run("only into a ledger that holds nothing", func(t *testing.T) {
		t.Parallel()
		bind := func(t *testing.T, l Ledger, deployment string) {
			k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run", Deployment: deployment})
			noError(t, err)
			noError(t, k.Release())
		}
		for name, c := range map[string]struct {
			given func(t *testing.T, l Ledger)
			want  error
		}{
			"a row":               {func(t *testing.T, l Ledger) { record(t, l, "users", entry("1")) }, ledger.ErrNotEmpty},
			"a sync":              {func(t *testing.T, l Ledger) { remove(t, l, "users", "1") }, ledger.ErrNotEmpty},
			"a forgotten person":  {func(t *testing.T, l Ledger) { forgetPerson(t, l, "a@example.com", 0) }, ledger.ErrNotEmpty},
			"another deployment":  {func(t *testing.T, l Ledger) { bind(t, l, "https://other.example.com") }, ledger.ErrNotEmpty},
			"the same deployment": {func(t *testing.T, l Ledger) { bind(t, l, deploymentOfAll) }, nil},
			"what was loaded":     {func(t *testing.T, l Ledger) { noError(t, l.Load(t.Context(), deploymentOfAll, all.load)) }, ledger.ErrNotEmpty},
			"a lock":              {func(t *testing.T, l Ledger) { hold(t, l) }, ledger.ErrLocked},
			"a feedback": {func(t *testing.T, l Ledger) {
				_, err := l.TakeIn(t.Context(), ledger.News{Feedback: ledger.Feedback{Event: "x", Received: at(1)}})
				noError(t, err)
			}, ledger.ErrNotEmpty},
			"an audit line": {func(t *testing.T, l Ledger) {
				noError(t, l.NoteAudit(t.Context(), ledger.AuditLine{Who: "ada", Way: ledger.ByPage, What: ledger.DeedSignIn}))
			}, ledger.ErrNotEmpty},
			"an opt-out": {func(t *testing.T, l Ledger) {
				noError(t, l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "c", Topic: "t", At: at(1)}))
			}, ledger.ErrNotEmpty},
		} {
			l := fresh(t, open)
			c.given(t, l)
			was := snapshotOf(t, l)
			if err := l.Load(t.Context(), all.Deployment, all.load); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if c.want != nil {
				same(t, name, snapshotOf(t, l), was)
			}
		}
	})
	t.Run("it is planned with at once", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		e := entry("1")
		e.Failure = &ledger.Failure{Class: ledger.RetryLater, Absence: true}
		noError(t, l.Load(t.Context(), "", func(into ledger.Loader) error {
			return errors.Join(into.AddEntry(ledger.Holder{Sync: "users", Entry: e}), into.AddSync(ledger.SyncRecord{Name: "users", Adopted: true}))
		}))
		standing, err := l.Standing(t.Context(), "users")
		noError(t, err)
		same(t, "standing", standing, ledger.Standing{Entries: 1, Failing: 1, Adopted: true})
		same(t, "open entries", collect(t, l.Open(t.Context(), "users")), []*ledger.Entry{e})
	})
}
