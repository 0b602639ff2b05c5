package service

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
)

// Child is a process that plays a role.
type Child interface {
	// Acknowledged returns the next thing that the process says is done; false means that it is dead.
	Acknowledged() (what string, alive bool)
	// Kill ends the process without a chance to tidy up, and returns what it still said.
	Kill() (said []string)
}

// group is what one call of a process that takes in feedback has.
func group(name string) ledger.News {
	f := ledger.Feedback{Event: "topic.unsubscribed", ContactID: name, Email: name + "@example.com", At: at(1), Received: at(2)}
	copy(f.Hash[:], name)
	return ledger.News{
		Feedback: f, OptOuts: []ledger.OptOut{{ContactID: name, Topic: "a", At: at(1)}, {ContactID: name, Topic: "b", At: at(1)}},
		Suppressions: []ledger.Suppression{{Email: f.Email, Reason: ledger.Complained, At: at(1)}}, Known: map[string]string{f.Email: name},
		Deliveries: []ledger.Delivery{{Target: "sql", Person: name, Topic: "a"}, {Target: "sql", Person: name, Topic: "b"}},
	}
}

// PlayRole plays a role until it is killed.
func PlayRole(t *testing.T, role string, l Ledger) {
	var out sync.Mutex
	say := func(what ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(append([]any{"acknowledged"}, what...)...)
	}
	switch role {
	case "take in":
		before := len(feedbacks(t, l, "", "", 0, 0))
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprintf("%d-%d-%d", before, w, i)
					if took, err := l.TakeIn(t.Context(), group(name)); err != nil || !took.New {
						t.Errorf("%s is new: %v, %v", name, took.New, err)
						return
					}
					say(name)
				}
			})
		}
		wg.Wait()
	case "deliver":
		for i := 0; ; i++ {
			name := fmt.Sprint("done", i)
			if _, err := l.TakeIn(t.Context(), group(name)); err != nil {
				t.Error(err)
				return
			}
			for range 2 {
				due, err := l.DueDeliveries(t.Context(), "sql", at(59), 1)
				noError(t, err)
				noError(t, l.Writes(t.Context(), []int64{due[0].ID}, at(9)))
				noError(t, l.Delivered(t.Context(), due[0].ID, at(9), time.Time{}))
				say(due[0].ID)
			}
		}
	case "wait":
		k := hold(t, l)
		queued := enqueue(t, l, ledger.Run{Sync: "orders"}, true)
		began := enqueue(t, l, ledger.Run{Sync: "users"}, true)
		waiting := begin(t, k, ledger.Run{ID: began, Sync: "users"})
		noError(t, k.PauseRun(t.Context(), waiting))
		noError(t, k.Release())
		say(queued, waiting)
		select {}
	}
}

// Killed kills processes at any instant and looks for what they acknowledged, and for halves.
func Killed(t *testing.T, open Open, start func(t *testing.T, role, folder string) Child) {
	t.Run("feedback that was acknowledged survives a kill, whole", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		acknowledged := make(map[string]bool)
		for round := range 3 {
			c := start(t, "take in", folder)
			for range 40 + 111*round {
				name, alive := c.Acknowledged()
				if !alive {
					t.Fatal("the process ended by itself")
				}
				acknowledged[name] = true
			}
			for _, name := range c.Kill() {
				acknowledged[name] = true
			}
			l := open(t, folder)
			found, err := l.Feedbacks(t.Context(), "", "", 0, 0)
			noError(t, err)
			var names, addresses []string
			for _, f := range found {
				names, addresses = append(names, f.ContactID), append(addresses, f.Email)
				delete(acknowledged, f.ContactID)
			}
			if len(acknowledged) > 0 {
				t.Errorf("round %d: %d of what was acknowledged are missing", round, len(acknowledged))
			}
			n := len(found)
			same(t, "what follows", []int{len(optOuts(t, l, names...)), len(suppressions(t, l, addresses...)), len(known(t, l, addresses...)), counts(t, l)["sql"][ledger.DeliveryWaiting]},
				[]int{2 * n, n, n, 2 * n})
			noError(t, l.Close())
		}
	})
	t.Run("a delivery that was acknowledged is not due again", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		c := start(t, "deliver", folder)
		var last string
		for range 25 {
			said, alive := c.Acknowledged()
			if !alive {
				t.Fatal("the process ended by itself")
			}
			last = said
		}
		if said := c.Kill(); len(said) > 0 {
			last = said[len(said)-1]
		}
		l := reopen(t, open, folder)
		var done int64
		_, err := fmt.Sscan(last, &done)
		noError(t, err)
		all, err := l.Deliveries(t.Context(), "", 0)
		noError(t, err)
		written, begun := 0, 0
		for _, d := range all {
			if d.ID <= done && d.State != ledger.DeliveryDone {
				t.Errorf("delivery %d of %d is %q", d.ID, done, d.State)
			}
			if d.State == ledger.DeliveryDone {
				written++
			}
			for _, o := range optOuts(t, l, d.Feedback.ContactID) {
				switch {
				case o.Topic != d.Topic:
				case d.State == ledger.DeliveryDone && o.Written.IsZero():
					t.Errorf("delivery %d is done, and its opt-out was not written", d.ID)
				case d.State != ledger.DeliveryDone && !o.Written.IsZero():
					begun++ // the process was killed between the two
				}
			}
		}
		if begun > 1 {
			t.Errorf("%d deliveries were begun and not done, although one was told after the other", begun)
		}
		same(t, "counts", counts(t, l)["sql"][ledger.DeliveryDone], written)
	})
	t.Run("runs wait for the next process", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		c := start(t, "wait", folder)
		said, alive := c.Acknowledged()
		if !alive {
			t.Fatal("the process ended by itself")
		}
		c.Kill()
		var inQueue, waiting int64
		_, err := fmt.Sscan(strings.TrimSpace(said), &inQueue, &waiting)
		noError(t, err)
		l := reopen(t, open, folder)
		same(t, "queued", queued(t, l), []int64{inQueue})
		same(t, "status", statusOf(t, l, waiting), ledger.StatusWaiting)
		k := hold(t, l)
		begin(t, k, ledger.Run{ID: inQueue, Sync: "orders"})
		same(t, "status", statusOf(t, l, waiting), ledger.StatusWaiting)
		begin(t, k, ledger.Run{Sync: "users"})
		same(t, "status", statusOf(t, l, waiting), ledger.StatusDied)
	})
}
