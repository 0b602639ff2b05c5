package cluster

import (
	"cmp"
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

// ledgerCuts and owlatCuts are how the ways fail. What is sent to Owlat is not kept back at random: it would arrive when another node has
// long done the work, and Owlat cannot tell that it is late.
var (
	ledgerCuts = []Cut{Delayed, Held, Dropped, Refused, Deaf, LostServer, LostClient}
	owlatCuts  = []Cut{Delayed, Dropped, Refused, Deaf, LostServer, LostClient}
)

// Mischief is what goes wrong in a world.
type Mischief struct {
	w *World

	mu       sync.Mutex
	troubles []Trouble
	lost     []Span // when the ledger's server may have lost what it had confirmed
}

// Play lets things go wrong at random, as the plan says, until its time is over. Then everything is whole again.
func (m *Mischief) Play(ctx context.Context, p Plan) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.For, errEnough)
	defer cancel()
	var group sync.WaitGroup
	var errs []error
	busy := make(map[int]bool) // nodes; 0: all
	for worker := range max(p.AtOnce, 1) {
		dice := rand.New(rand.NewPCG(m.w.opts.Seed, uint64(worker)))
		group.Go(func() {
			for pause(ctx, p.Breather/2+time.Duration(dice.Int64N(int64(p.Breather)))) {
				t := m.choose(dice, p)
				m.mu.Lock()
				taken := busy[t.Node] || busy[0] || t.Node == 0 && len(busy) > 0
				if !taken {
					busy[t.Node] = true
				}
				m.mu.Unlock()
				if taken {
					continue
				}
				err := m.happen(ctx, t, time.Duration(float64(p.Longest)*(0.1+0.9*dice.Float64())))
				m.mu.Lock()
				delete(busy, t.Node)
				m.mu.Unlock()
				if err != nil {
					cancel()
					m.mu.Lock()
					errs = append(errs, err)
					m.mu.Unlock()
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

func (m *Mischief) choose(dice *rand.Rand, p Plan) Trouble {
	t := Trouble{Kind: p.Kinds[dice.IntN(len(p.Kinds))], Node: 1 + dice.IntN(len(m.w.Nodes))}
	if holder := m.w.holder(); p.Holder && holder != 0 && dice.IntN(4) > 0 {
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
	counts[0] = 0 // an outsider
	most := slices.Max(counts)
	if most == 0 {
		return 0
	}
	return slices.Index(counts, most)
}

// Strike lets one trouble come to the node that does most, for as long as given, and returns which node that was.
func (m *Mischief) Strike(ctx context.Context, kind TroubleKind, cut Cut, lasts time.Duration) (node int, err error) {
	t := Trouble{Kind: kind, Cut: cut}
	if kind != Crashed && kind != FailedOver {
		t.Node = max(m.w.holder(), 1)
	}
	return t.Node, m.happen(ctx, t, lasts)
}

// StrikeUntilTaken lets one trouble come to the node that does most, until a moment after other nodes do its work, or for as long as that
// may take at most.
func (m *Mischief) StrikeUntilTaken(ctx context.Context, kind TroubleKind, cut Cut) error {
	t := Trouble{Kind: kind, Cut: cut, Node: max(m.w.holder(), 1)}
	lost := m.w.worksFor(t.Node)
	began := time.Now()
	c, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	watching.Go(func() {
		for pause(c, 100*time.Millisecond) {
			if !slices.ContainsFunc(lost, func(o *Owlat) bool { return o.latest(began) == t.Node || o.latest(began) == 0 }) {
				pause(c, 2*time.Second)
				cancel(errEnough)
			}
		}
	})
	err := m.happen(c, t, cmp.Or(m.w.opts.Within, takenOverWithin)+2*underway)
	cancel(nil)
	watching.Wait()
	return err
}

// worksFor returns the deployments that had their latest request from the node.
func (w *World) worksFor(node int) (all []*Owlat) {
	for _, o := range w.Owlats {
		if o.latest(time.Time{}) == node {
			all = append(all, o)
		}
	}
	return all
}

// latest returns which node sent the latest request after a time, 0 if none did.
func (o *Owlat) latest(after time.Time) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range slices.Backward(o.requests) {
		if r.Node != 0 && r.At.After(after) {
			return r.Node
		}
	}
	return 0
}

// happen lets one trouble last as long as given, or until ctx ends.
func (m *Mischief) happen(ctx context.Context, t Trouble, lasts time.Duration) error {
	t.From = time.Now()
	m.w.opts.Log("%s node %d is %s %s, for %v", clock(t.From), t.Node, t.Kind, t.Cut, lasts.Round(time.Millisecond))
	var err error
	switch t.Kind {
	case Killed, Stopped:
		n := m.w.Nodes[t.Node-1]
		if t.Kind == Killed {
			n.Kill()
		} else if code := n.Stop(); code != 0 {
			m.w.opts.Log("node %d was stopped softly and ended with %d", t.Node, code)
		}
		pause(ctx, lasts)
		err = n.Start()
	case Frozen:
		n := m.w.Nodes[t.Node-1]
		n.Freeze()
		pause(ctx, lasts)
		n.Thaw()
	case CutLedger, CutSource, CutOwlat:
		n := m.w.Nodes[t.Node-1]
		link := map[TroubleKind]*Link{CutLedger: n.Ledger, CutSource: n.Source, CutOwlat: n.Owlat}[t.Kind]
		link.Cut(t.Cut, min(lasts/20, 300*time.Millisecond))
		pause(ctx, lasts)
		link.Cut(Whole, 0)
	case Crashed:
		m.w.Ledger.Crash()
		err = m.w.Ledger.Start()
	case FailedOver:
		err = m.failOver(context.WithoutCancel(ctx))
	}
	t.To = time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.troubles = append(m.troubles, t)
	return err
}

// failOver lets a standby take the place of the ledger's server that is behind it by a tenth of a second.
func (m *Mischief) failOver(ctx context.Context) (err error) {
	if m.w.standby, err = m.w.Ledger.Standby(m.w.opts.Dir); err != nil {
		return err
	}
	if err := m.w.standby.StopFollowing(ctx); err != nil {
		return err
	}
	lost := Span{From: time.Now()}
	<-time.After(100 * time.Millisecond)
	m.w.Ledger.Crash()
	lost.To = time.Now()
	if err := m.w.standby.Promote(); err != nil {
		return err
	}
	for _, n := range append([]*Node{m.w.outsider.node}, m.w.Nodes...) {
		n.Ledger.SetTarget(m.w.standby.Addr())
	}
	m.w.Ledger, m.w.standby = m.w.standby, nil
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = append(m.lost, lost)
	return nil
}
