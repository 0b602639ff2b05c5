package memory

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest"
)

const faultVariable = "LEDGERTEST_FAULT"

// faults are what a store may do wrong, each with the part of the suite that is to notice.
var faults = map[string]string{
	"a lost lock writes":                    "LostLock",
	"a lost lock is not told":               "LostLock",
	"epochs stand still":                    "Acquire",
	"the deployment is taken from the last": "Deployment",
	"a waiter is sent away":                 "Wait",
	"the dead are not buried":               "BeginRun",
	"the heartbeat stands still":            "Beat",
	"an end is made of two":                 "EndRun",
	"the bookmark is left out":              "EndRun",
	"what is settled keeps its plan":        "EndRun",
	"every plan is kept":                    "Plan",
	"a retry waits for the lock":            "Retry",
	"a queued run is queued twice":          "Queue",
	"a queued run begins anew":              "Queue",
	"every waiting run is buried":           "Turns",
	"feedback is taken in twice":            "Mailbox",
	"news are taken in by halves":           "Mailbox",
	"what was forgotten is heard again":     "Mailbox",
	"who refused is not counted":            "Outbox",
	"the latest suppression counts":         "Mailbox",
	"nobody's order is kept":                "Outbox",
	"what was written is forgotten":         "Outbox",
	"a retry tells no history":              "Retry",
	"a doubt is lost":                       "Entry",
	"the feed begins anew":                  "Changes",
	"a snapshot goes on":                    "Snapshot",
	"a load is half":                        "Load",
}

// TestPlantedFaultsAreNoticed runs the suite on ledgers with a fault, in processes of their own because it is to fail.
func TestPlantedFaultsAreNoticed(t *testing.T) {
	t.Parallel()
	if fault := os.Getenv(faultVariable); fault != "" {
		var mu sync.Mutex
		ledgers := make(map[string]*Ledger)
		ledgertest.RunInProcess(t, func(_ testing.TB, folder string) ledgertest.Ledger {
			mu.Lock()
			defer mu.Unlock()
			if ledgers[folder] == nil {
				ledgers[folder] = New()
			}
			return faulty{ledgers[folder].Reopen(), fault}
		})
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for fault, part := range faults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(program, "-test.run=^TestPlantedFaultsAreNoticed$/^"+part+"$", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), faultVariable+"="+fault)
			output, err := cmd.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(output), "--- FAIL: TestPlantedFaultsAreNoticed/"+part) {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// faulty is a ledger with one fault.
type faulty struct {
	*Ledger
	fault string
}

func (f faulty) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	switch f.fault {
	case "the deployment is taken from the last":
		f.store.mu.Lock()
		f.store.deployment = ""
		f.store.mu.Unlock()
	case "a waiter is sent away":
		claim.Wait = false
	}
	k, err := f.acquire(ctx, claim)
	if err != nil {
		return nil, err
	}
	return faultyLock{k, f}, nil
}

func (f faulty) Retry(ctx context.Context, sync string, keys []string, now time.Time) (rows int, err error) {
	switch f.fault {
	case "a retry waits for the lock":
		k, err := f.acquire(ctx, ledger.Claim{})
		if err != nil {
			return 0, err
		}
		defer func() { _ = k.Release() }()
	case "a retry tells no history":
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		for _, e := range f.store.syncs[sync].sorted() {
			if e.Failure != nil {
				e.Failure.Attempts, e.Failure.Parked, e.Failure.NextTry = 0, false, moment(now)
				rows++
			}
		}
		return rows, nil
	}
	return f.Ledger.Retry(ctx, sync, keys, now)
}

func (f faulty) Enqueue(ctx context.Context, run ledger.Run) (int64, bool, error) {
	if f.fault == "a queued run is queued twice" {
		run.Part.Limit = int(time.Now().UnixNano())
	}
	return f.Ledger.Enqueue(ctx, run)
}

func (f faulty) TakeIn(ctx context.Context, news ledger.News) (ledger.Receipt, error) {
	switch f.fault {
	case "feedback is taken in twice":
		f.store.mu.Lock()
		for _, fb := range f.store.heard.feedback {
			fb.Hash[31]++
		}
		f.store.mu.Unlock()
	case "news are taken in by halves":
		_ = f.NoteOptOuts(ctx, news.OptOuts...)
	case "the latest suppression counts":
		f.store.mu.Lock()
		for _, s := range news.Suppressions {
			delete(f.store.heard.suppressions, s.Email)
		}
		f.store.mu.Unlock()
	}
	return f.Ledger.TakeIn(ctx, news)
}

func (f faulty) DueDeliveries(ctx context.Context, target string, now time.Time, limit int) (found []ledger.Delivery, err error) {
	if f.fault != "nobody's order is kept" {
		return f.Ledger.DueDeliveries(ctx, target, now, limit)
	}
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	for _, d := range f.store.heard.deliveries {
		if d.State == ledger.DeliveryWaiting && d.Target == target && !d.Due.After(now) && len(found) < limit {
			found = append(found, f.store.heard.whole(d))
		}
	}
	return found, nil
}

func (f faulty) Undelivered(ctx context.Context, id int64, reason string, refused bool, next time.Time) error {
	if f.fault == "who refused is not counted" {
		refused = false
	}
	return f.Ledger.Undelivered(ctx, id, reason, refused, next)
}

func (f faulty) Writes(ctx context.Context, ids []int64, at time.Time) error {
	if f.fault == "what was written is forgotten" {
		return nil
	}
	return f.Ledger.Writes(ctx, ids, at)
}

func (f faulty) ForgetPerson(ctx context.Context, address string) (int, error) {
	n, err := f.Ledger.ForgetPerson(ctx, address)
	if f.fault == "what was forgotten is heard again" {
		f.store.mu.Lock()
		clear(f.store.heard.erased)
		f.store.mu.Unlock()
	}
	if f.fault == "the feed begins anew" {
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		f.store.lastLine = 0
		for _, line := range f.store.lines() {
			f.store.lastLine = line.Number
		}
	}
	return n, err
}

func (f faulty) Snapshot(ctx context.Context, read func(ledger.Snapshot) error) error {
	if f.fault != "a snapshot goes on" {
		return f.Ledger.Snapshot(ctx, read)
	}
	return f.Ledger.Snapshot(ctx, func(s ledger.Snapshot) error {
		err := read(s)
		return errors.Join(err, f.Ledger.Snapshot(ctx, read))
	})
}

func (f faulty) Load(ctx context.Context, deployment string, write func(ledger.Loader) error) error {
	if f.fault == "a load is half" {
		return f.Ledger.Load(ctx, deployment, func(l ledger.Loader) error { _ = write(l); return nil })
	}
	return f.Ledger.Load(ctx, deployment, write)
}

// faultyLock is a lock of a ledger with one fault.
type faultyLock struct {
	*lock
	f faulty
}

func (k faultyLock) Epoch() int64 {
	if k.f.fault == "epochs stand still" {
		return 1
	}
	return k.lock.Epoch()
}

func (k faultyLock) Context() context.Context {
	if k.f.fault == "a lost lock is not told" {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}
	return k.lock.Context()
}

func (k faultyLock) Record(ctx context.Context, records ...ledger.Record) error {
	for i, r := range records {
		if k.f.fault == "a doubt is lost" && r.Entry != nil {
			e := *r.Entry
			e.Doubt = false
			records[i].Entry = &e
		}
	}
	if k.f.fault == "a lost lock writes" {
		k.store.mu.Lock()
		k.epoch = k.store.epoch
		k.store.mu.Unlock()
	}
	return k.lock.Record(ctx, records...)
}

func (k faultyLock) BeginRun(ctx context.Context, run ledger.Run) (int64, error) {
	var spared []*runState
	if k.f.fault == "the dead are not buried" {
		k.store.mu.Lock()
		for _, r := range k.store.runs {
			if r.Status == ledger.StatusRunning {
				spared = append(spared, r)
			}
		}
		k.store.mu.Unlock()
	}
	if k.f.fault == "every waiting run is buried" {
		k.store.mu.Lock()
		for _, r := range k.store.runs {
			if r.Status == ledger.StatusWaiting {
				r.Status = ledger.StatusDied
			}
		}
		k.store.mu.Unlock()
	}
	if k.f.fault == "a queued run begins anew" {
		run.ID = 0
	}
	id, err := k.lock.BeginRun(ctx, run)
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	for _, r := range spared {
		r.Status = ledger.StatusRunning
	}
	return id, err
}

func (k faultyLock) Beat(ctx context.Context, beat ledger.Beat) error {
	k.store.mu.Lock()
	r, err := k.store.run(beat.Run)
	was := time.Time{}
	if err == nil {
		was = r.Heartbeat
	}
	k.store.mu.Unlock()
	err = k.lock.Beat(ctx, beat)
	if k.f.fault == "the heartbeat stands still" && err == nil {
		k.store.mu.Lock()
		defer k.store.mu.Unlock()
		r.Heartbeat = was
	}
	return err
}

func (k faultyLock) EndRun(ctx context.Context, ending ledger.Ending) error {
	switch k.f.fault {
	case "an end is made of two":
		if ending.Bookmark != nil {
			k.store.mu.Lock()
			if state := k.store.syncs["users"]; state != nil {
				state.mark(*ending.Bookmark)
			}
			k.store.mu.Unlock()
		}
	case "the bookmark is left out":
		ending.Bookmark = nil
	}
	plans := make(map[*runState][]ledger.PlanItem)
	k.store.mu.Lock()
	for id := range ending.Settled {
		if r, err := k.store.run(id); err == nil && k.f.fault == "what is settled keeps its plan" {
			plans[r] = r.plan
		}
	}
	if r, err := k.store.run(ending.Run.ID); err == nil && k.f.fault == "every plan is kept" {
		plans[r] = r.plan
	}
	k.store.mu.Unlock()
	err := k.lock.EndRun(ctx, ending)
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	for r, plan := range plans {
		r.plan = plan
	}
	return err
}
