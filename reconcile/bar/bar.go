// Package bar sees to it that no mail goes to people any more, at somebody's word and beside runs.
package bar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/remote"
)

// What became of a person who was barred.
const (
	Now    = "opted out"
	Before = "opted out before"
	Here   = "suppressed, not in Owlat"
	Topics = "taken off the topics"
)

// Bars sends people nothing any more, at somebody's word and beside runs: the ledger suppresses their address and their contact, so that no
// sync puts them on a topic, and Owlat opts them out of everything. Without an unsubscribe secret they leave Topics.
type Bars struct {
	Ledger ledger.Store
	// Links is the client whose unsubscribe secret is used. Its other requests are not.
	Links  *owlat.Client
	Topics []string // ids
	// Reason is by whose word; empty: that of a list.
	Reason ledger.SuppressionReason
}

// Standing is what the ledger knows of somebody who is to be barred.
type Standing struct {
	Contact    string // empty: it knows none
	Suppressed bool
	Told       bool // Owlat has opted the contact out of everything
}

// Standing looks somebody up who is given by a normalised address or the id of a contact.
func (b *Bars) Standing(ctx context.Context, whom string) (s Standing, err error) {
	if s.Contact = whom; strings.Contains(whom, "@") {
		s.Contact = ""
		holders, err := b.Ledger.Holders(ctx, []string{whom})
		if err != nil {
			return s, readLedger(err)
		}
		for _, h := range holders {
			if h.Entry.ContactID != "" && h.Entry.Origin != ledger.OriginGone && h.Entry.Email == whom {
				s.Contact = h.Entry.ContactID
			}
		}
	}
	found, err := b.Ledger.Suppressions(ctx, slices.DeleteFunc([]string{whom, s.Contact}, func(name string) bool { return name == "" }))
	if err != nil {
		return s, readLedger(err)
	}
	s.Suppressed, s.Told = found[whom].Reason != "", s.Contact != "" && !found[s.Contact].Told.IsZero()
	return s, nil
}

// Bar bars somebody, and returns one of the words above. The api client sends what counts against the budget of the key: a look-up of whoever
// the ledger does not know, or who seems to be on no topic, and removals from topics. Repeating it changes nothing.
func (b *Bars) Bar(ctx context.Context, api *owlat.Client, whom string) (became string, err error) {
	is, err := b.Standing(ctx, whom)
	if err != nil {
		return "", err
	}
	if err := b.suppress(ctx, whom, is.Contact); err != nil {
		return "", err
	}
	if is.Told {
		return Before, nil
	}
	contact := is.Contact
	for looked := false; ; looked = true {
		if contact == "" {
			found, err := remote.Find(ctx, api, whom)
			switch {
			case remote.IsGone(err):
				return Here, nil
			case err != nil:
				return "", err
			}
			if contact, looked = found.ID, true; contact != whom {
				if err := b.suppress(ctx, contact); err != nil {
					return "", err
				}
			}
		}
		ended, err := b.send(ctx, api, contact)
		if err == nil && ended == 0 && !looked { // Owlat answers alike for a contact that was deleted in the dashboard or merged
			_, err = remote.Find(ctx, api, contact)
		}
		switch {
		case err == nil:
			return b.told(ctx, contact)
		case !remote.IsGone(err) || looked:
			return "", err
		}
		contact = ""
	}
}

// suppress records that nothing may go to those named.
func (b *Bars) suppress(ctx context.Context, names ...string) error {
	var all []ledger.Suppression
	for _, name := range names {
		if name != "" {
			all = append(all, ledger.Suppression{Email: name, Reason: b.reason(), At: b.Ledger.Now()})
		}
	}
	return b.Ledger.Suppress(context.WithoutCancel(ctx), all...)
}

func (b *Bars) reason() ledger.SuppressionReason { return cmp.Or(b.Reason, ledger.Listed) }

// send opts a contact out of everything, or takes it off the topics, and returns how many memberships that ended.
func (b *Bars) send(ctx context.Context, api *owlat.Client, contact string) (ended int, err error) {
	if !b.Links.Preferences.Configured() {
		for _, topic := range b.Topics {
			var removed bool
			if err := remote.Call(ctx, func() (err error) {
				removed, err = api.Topics.Remove(ctx, topic, contact)
				return err
			}); err != nil {
				return 0, fmt.Errorf("take off topic %s: %w", topic, err)
			}
			if removed {
				ended++
			}
		}
		return ended, nil
	}
	sent, _, _ := remote.There(b.Links, b.Ledger, b.Ledger.Now())
	if err := b.Ledger.Suppress(ctx, ledger.Suppression{Email: contact, Reason: b.reason(), At: b.Ledger.Now(), Sent: sent}); err != nil {
		return 0, err
	}
	got, err := b.Links.Preferences.OptOut(ctx, contact)
	if err != nil {
		return 0, err
	}
	return got.TopicsLeft, nil
}

// told records what Owlat has confirmed.
func (b *Bars) told(ctx context.Context, contact string) (became string, err error) {
	if !b.Links.Preferences.Configured() {
		return Topics, nil
	}
	ctx = context.WithoutCancel(ctx)
	_, at, _ := remote.There(b.Links, b.Ledger, b.Ledger.Now())
	sharers, err := b.Ledger.Sharers(ctx, []string{contact})
	if err != nil {
		return "", readLedger(err)
	}
	if err := b.Ledger.NoteOptOuts(ctx, consent.Ended(sharers, contact, at)...); err != nil {
		return "", err
	}
	return Now, b.Ledger.Suppress(ctx, ledger.Suppression{Email: contact, Reason: b.reason(), At: b.Ledger.Now(), Told: at})
}

// Lifter is what Lift needs of a ledger.
type Lifter interface {
	Holders(ctx context.Context, addresses []string) ([]ledger.Holder, error)
	Lift(ctx context.Context, name string) (was bool, err error)
}

// Lift ends the suppression of an address, and of the contacts that the ledger knows to have it, and reports whether there was one. Owlat is told
// nothing: an opt-out of everything stays until the person, or an add to a topic, ends it.
func Lift(ctx context.Context, l Lifter, address string) (was bool, err error) {
	holders, err := l.Holders(ctx, []string{address})
	if err != nil {
		return false, readLedger(err)
	}
	names := []string{address}
	for _, h := range holders {
		if id := h.Entry.ContactID; id != "" && h.Entry.Email == address && !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	for _, name := range names {
		there, liftErr := l.Lift(ctx, name)
		was, err = was || there, errors.Join(err, liftErr)
	}
	return was, err
}

// echoSlack is how far the time at which Owlat tells of an opt-out may be from that of its request.
const echoSlack = 10 * time.Minute

// IsEcho reports whether a webhook that tells of a departure from topics is the echo of an opt-out that was sent because no mail may go to the
// person. It is no word of theirs: what they consented to is to stay in the source as it is. S is the suppression of their contact.
func IsEcho(f *ledger.Feedback, s ledger.Suppression) bool {
	if f.Event != owlat.WebhookTopicUnsubscribed || s.Sent.IsZero() || f.At.Before(s.Sent.Add(-echoSlack)) {
		return false
	}
	return s.Told.IsZero() || !f.At.After(cmp.Or(s.Told, s.Sent).Add(echoSlack))
}

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }
