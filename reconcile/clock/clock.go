// Package clock tells the time on Owlat's clock, as far as Owlat's answers have told it, for what is recorded of requests.
package clock

import (
	"context"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/remote"
)

// Clock is Owlat's clock. Until an answer has told the time, it is the ledger's.
type Clock struct {
	client *owlat.Client
	ledger ledger.Clock
}

// Of returns the clock that the answers to a client tell.
func Of(client *owlat.Client, l ledger.Clock) Clock { return Clock{client, l} }

// Now returns the time, at the latest.
func (c Clock) Now() time.Time {
	_, latest, _ := c.Bounds()
	return latest
}

// Bounds returns the time between two bounds. If no answer has told it, that is the ledger's.
func (c Clock) Bounds() (earliest, latest time.Time, known bool) {
	return remote.There(c.client, c.ledger, c.ledger.Now())
}

// askTimeout is how long a run waits to be told the time.
const askTimeout = 5 * time.Second

// Learn asks for the time if no answer has told it. That costs nothing of the budget.
func (c Clock) Learn(ctx context.Context) {
	if _, _, known := c.Bounds(); !known {
		c.Ask(ctx)
	}
}

// Ask asks for the time.
func (c Clock) Ask(ctx context.Context) {
	if client, err := c.client.With(owlat.WithRetries(0), owlat.WithTimeout(askTimeout)); err == nil {
		_, _ = client.Health(mark.None(ctx)) // without an answer the time stays unknown
	}
}

// Date puts those times of memberships on the clock that are undated, because the plan could not, if the clock is known now.
func (c Clock) Date(all []ledger.Membership, undated time.Time) {
	if undated.IsZero() {
		return
	}
	earliest, _, known := remote.There(c.client, c.ledger, undated)
	if !known {
		return
	}
	for i := range all {
		m := &all[i]
		if m.At.Equal(undated) {
			m.At = earliest
		}
		if m.Renewed.Equal(undated) {
			m.Renewed = earliest
		}
	}
}

// closely is how narrow the bounds must be to tell what a step has moved from what a person does right after it.
const closely = 250 * time.Millisecond

// Closely reports whether it is known closely what Owlat's clock showed at a time. That time, and those of By and Since, are on the clock of this
// machine.
func (c Clock) Closely(at time.Time) bool {
	earliest, latest, known := c.client.ServerTime(at)
	return known && latest.Sub(earliest) <= closely
}

// By returns when, at the latest, a request took effect that was answered at a time. It is zero if there was none, or if the clock is not known
// closely: then a doubt takes what the request moved for somebody else's doing.
func (c Clock) By(answered time.Time) time.Time {
	if answered.IsZero() || !c.Closely(answered) {
		return time.Time{}
	}
	_, latest, _ := c.client.ServerTime(answered)
	return latest
}

// Since returns the time beyond which whoever leaves after an add was sent moves what Owlat tells of the contact, and what an earlier request did
// that was answered before does not. It is zero if the clock is not known.
func (c Clock) Since(sent, answered time.Time) time.Time {
	earliest, _, known := c.client.ServerTime(sent)
	if by := c.By(answered); by.After(earliest) {
		return by
	}
	if !known {
		return time.Time{}
	}
	return earliest
}
