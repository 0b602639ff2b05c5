package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"owlatsync/ledger"
)

// Suppress checks what the user's own word suppresses: addresses and contacts, and what Owlat was told of them.
func Suppress(t *testing.T, open Open) {
	const ada, contact = "row1@example.com", "contact1"
	t.Run("the user's own word outweighs a bounce and no complaint, and what Owlat was told stays", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		told := func(s ledger.Suppression, sent, told int) ledger.Suppression {
			if sent > 0 {
				s.Sent = at(sent).UTC()
			}
			if told > 0 {
				s.Told = at(told).UTC()
			}
			return s
		}
		for i, c := range []struct{ s, want ledger.Suppression }{
			{suppress(ada, ledger.Bounced, 5), suppress(ada, ledger.Bounced, 5)},
			{suppress(ada, ledger.NeverMail, 3), suppress(ada, ledger.NeverMail, 3)},
			{suppress(ada, ledger.Bounced, 9), suppress(ada, ledger.NeverMail, 3)},
			{suppress(ada, ledger.Listed, 2), suppress(ada, ledger.NeverMail, 3)},
			{suppress(ada, ledger.Listed, 4), suppress(ada, ledger.Listed, 4)},
			{told(suppress(ada, ledger.Bounced, 1), 6, 0), told(suppress(ada, ledger.Listed, 4), 6, 0)},
			{told(suppress(ada, ledger.Listed, 1), 5, 7), told(suppress(ada, ledger.Listed, 4), 6, 7)},
			{suppress(ada, ledger.Complained, 1), told(suppress(ada, ledger.Complained, 1), 6, 7)},
			{suppress(ada, ledger.NeverMail, 20), told(suppress(ada, ledger.Complained, 1), 6, 7)},
		} {
			noError(t, l.Suppress(t.Context(), c.s))
			same(t, "suppressions", suppressions(t, l, ada), map[string]ledger.Suppression{ada: c.want})
			if i == 0 {
				same(t, "of a contact", len(suppressions(t, l, contact)), 0)
			}
		}
		noError(t, l.Suppress(t.Context(), suppress(contact, ledger.Bounced, 1), told(suppress(contact, ledger.NeverMail, 2), 3, 0), told(suppress(contact, ledger.NeverMail, 1), 0, 4)))
		noError(t, l.Suppress(t.Context()))
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "of a contact", suppressions(t, l, contact, "nobody@example.com"), map[string]ledger.Suppression{contact: told(suppress(contact, ledger.NeverMail, 2), 3, 4)})
		all, err := l.AllSuppressions(t.Context(), 0)
		noError(t, err)
		same(t, "all of addresses", len(all), 1)
		for _, want := range []bool{true, false} {
			was, err := l.Lift(t.Context(), contact)
			noError(t, err)
			same(t, "was suppressed", was, want)
		}
	})
	t.Run("all or nothing, and without the lock", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		hold(t, l)
		for name, s := range map[string]ledger.Suppression{
			"of nobody": suppress("", ledger.Listed, 1), "for no reason": suppress(contact, "mood", 1), "at no time": {Email: contact, Reason: ledger.Listed},
		} {
			if err := l.Suppress(t.Context(), suppress(ada, ledger.Listed, 1), s); err == nil {
				t.Errorf("a suppression %s is taken", name)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Suppress(ended, suppress(ada, ledger.Listed, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("under a context that has ended: %v", err)
		}
		same(t, "suppressions", len(suppressions(t, l, ada)), 0)
		noError(t, l.Suppress(t.Context(), suppress(ada, ledger.Listed, 1)))
		same(t, "suppressions", len(suppressions(t, l, ada)), 1)
	})
	t.Run("of a forgotten person", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		e := entry("1")
		record(t, l, "users", e)
		kept := ledger.Suppression{Email: e.ContactID, Reason: ledger.NeverMail, At: at(1).UTC(), Sent: at(2).UTC(), Told: at(3).UTC()}
		noError(t, l.Suppress(t.Context(), kept, suppress(e.Email, ledger.NeverMail, 1)))
		_, err := l.ForgetPerson(t.Context(), e.Email)
		noError(t, err)
		same(t, "suppressions", suppressions(t, l, e.ContactID, e.Email), map[string]ledger.Suppression{e.ContactID: kept, e.Email: suppress(e.Email, ledger.NeverMail, 1)})
		all, err := l.AllSuppressions(t.Context(), 0)
		noError(t, err)
		same(t, "all of addresses", len(all), 0)
		later := kept
		later.Told = at(9).UTC().Add(time.Second)
		noError(t, l.Suppress(t.Context(), later))
		same(t, "told again", suppressions(t, l, e.ContactID)[e.ContactID], later)
	})
}
