package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Plan says how much goes wrong.
type Plan struct {
	For      time.Duration // how long
	Longest  time.Duration // of one trouble
	Kinds    []TroubleKind
	Holder   bool // most troubles come to the node that does most
	AtOnce   int  // how many troubles there may be at a time
	Breather time.Duration
}

// ledgerCuts and owlatCuts are how the ways fail. What is sent to Owlat is never kept back for long: it would arrive in one piece, which
// no pace of a sender can help.
var (
	ledgerCuts = []Cut{Delayed, Held, Dropped, Refused, Deaf, LostServer, LostClient}
	owlatCuts  = []Cut{Delayed, Dropped, Refused, Deaf, LostServer, LostClient}
)

// Trouble lets things go wrong at random, as the plan says, until its time is over. Then everything is whole again.
func (w *World) Trouble(ctx context.Context, p Plan) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.For, errEnough)
	defer cancel()
	var group sync.WaitGroup
	var errs []error
	busy := make(map[int]bool) // nodes; 0: all
	for worker := range max(p.AtOnce, 1) {
		dice := rand.New(rand.NewPCG(w.opts.Seed, uint64(worker)))
		group.Go(func() {
			for pause(ctx, p.Breather/2+time.Duration(dice.Int64N(int64(p.Breather)))) {
				t := w.choose(dice, p)
				w.mu.Lock()
				taken := busy[t.Node] || busy[0] || t.Node == 0 && len(busy) > 0
				if !taken {
					busy[t.Node] = true
				}
				w.mu.Unlock()
				if taken {
					continue
				}
				err := w.happen(ctx, t, time.Duration(float64(p.Longest)*(0.1+0.9*dice.Float64())))
				w.mu.Lock()
				delete(busy, t.Node)
				w.mu.Unlock()
				if err != nil {
					cancel()
					w.mu.Lock()
					errs = append(errs, err)
					w.mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if context.Cause(ctx) != errEnough && len(errs) == 0 {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

// errEnough ends a time of troubles.
var errEnough = errors.New("that is enough trouble")

// pause waits, and reports false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *World) choose(dice *rand.Rand, p Plan) Trouble {
	t := Trouble{Kind: p.Kinds[dice.IntN(len(p.Kinds))], Node: 1 + dice.IntN(len(w.Nodes))}
	if holder := w.holder(); p.Holder && holder != 0 && dice.IntN(4) > 0 {
		t.Node = holder
	}
	switch t.Kind {
	case CutLedger:
		t.Cut = ledgerCuts[dice.IntN(len(ledgerCuts))]
	case CutSource, CutOwlat:
		t.Cut = owlatCuts[dice.IntN(len(owlatCuts))]
	case Crashed, FailedOver:
		t.Node = 0
	}
	return t
}

// holder returns the node that sent most of the latest requests, 0 if nobody sent any.
func (w *World) holder() (node int) {
	counts := make([]int, len(w.Nodes)+1)
	for _, o := range w.Owlats {
		o.mu.Lock()
		for _, r := range o.requests[max(0, len(o.requests)-20):] {
			counts[r.Node]++
		}
		o.mu.Unlock()
	}
	most := slices.Max(counts)
	if most == 0 {
		return 0
	}
	return slices.Index(counts, most)
}

// happen lets one trouble last as long as given, or until ctx ends.
func (w *World) happen(ctx context.Context, t Trouble, lasts time.Duration) error {
	t.From = time.Now()
	w.opts.Log("%s node %d is %s %s, for %v", clock(t.From), t.Node, t.Kind, t.Cut, lasts.Round(time.Millisecond))
	var err error
	switch t.Kind {
	case Killed, Stopped:
		n := w.Nodes[t.Node-1]
		if t.Kind == Killed {
			n.Kill()
		} else if code := n.Stop(); code != 0 {
			w.opts.Log("node %d was stopped softly and ended with %d", t.Node, code)
		}
		pause(ctx, lasts)
		err = n.Start()
	case Frozen:
		n := w.Nodes[t.Node-1]
		n.Freeze()
		pause(ctx, lasts)
		n.Thaw()
	case CutLedger, CutSource, CutOwlat:
		n := w.Nodes[t.Node-1]
		link := map[TroubleKind]*Link{CutLedger: n.Ledger, CutSource: n.Source, CutOwlat: n.Owlat}[t.Kind]
		link.Cut(t.Cut, min(lasts/20, 300*time.Millisecond))
		pause(ctx, lasts)
		link.Cut(Whole, 0)
	case Crashed:
		w.Ledger.Crash()
		err = w.Ledger.Start()
	case FailedOver:
		err = w.failOver(context.WithoutCancel(ctx))
	}
	t.To = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles = append(w.troubles, t)
	return err
}

// failOver lets a standby take the place of the ledger's server that is behind it by a tenth of a second.
func (w *World) failOver(ctx context.Context) (err error) {
	if w.standby, err = w.Ledger.Standby(w.opts.Dir); err != nil {
		return err
	}
	if err := w.standby.StopFollowing(ctx); err != nil {
		return err
	}
	lost := Span{From: time.Now()}
	<-time.After(100 * time.Millisecond)
	w.Ledger.Crash()
	lost.To = time.Now()
	if err := w.standby.Promote(); err != nil {
		return err
	}
	for _, n := range w.Nodes {
		n.Ledger.SetTarget(w.standby.Addr())
	}
	w.Ledger, w.standby = w.standby, nil
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = append(w.lost, lost)
	return nil
}
