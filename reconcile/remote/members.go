package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
)

// ErrUntold says that memberships cannot be read: there is no unsubscribe secret, or the deployment refuses it. What asks goes on as
// without the secret.
var ErrUntold = errors.New("memberships cannot be read")

// linksOutage is how many readings in a row must fail before a run does without them.
const linksOutage = 10

// Links reads memberships by the links in Owlat's mails, for one run. Once the deployment has refused the unsubscribe secret, has failed again and
// again, or has let a minute pass without an answer, nothing is read any more. The zero value reads nothing. It is safe for concurrent use.
type Links struct {
	able bool
	fair time.Duration
	told func(ended error)

	mu      sync.Mutex
	failed  int // readings in a row
	waiting waiting
	ended   error // why nothing is read any more; nil: it is
}

// NewLinks returns what reads with the client's unsubscribe secret. Fair is how long a reading may take, on average, for whoever has something else
// to do: what is beyond it, added up, may be no more than a minute either; 0: as long as it likes. Told, which may be nil, is called once if
// nothing is read any more: the error says what to do and holds neither a token nor an address.
func NewLinks(client *owlat.Client, fair time.Duration, told func(ended error)) *Links {
	return &Links{able: client.Preferences.Configured(), fair: fair, told: told}
}

// Able reports whether memberships can be read, as far as is known.
func (l *Links) Able() bool {
	if l == nil || !l.able {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended == nil
}

// Refused returns why nothing is read any more although there is a secret; nil: it is read, or there is none.
func (l *Links) Refused() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// Read returns on which topics a contact is, and its normalised address. A contact that was deleted in the dashboard or merged into another one
// seems to be on none: look whether it is still there, by Find, after the reading. The client is that of the caller, with its observers.
//
// Errors: ErrUntold; one that IsGone knows for a contact that was deleted by the API; else that of the call, which says nothing about the contact.
// One that never was is owlat.ErrInternal.
func (l *Links) Read(ctx context.Context, client *owlat.Client, contactID string) (members consent.Members, email string, err error) {
	var got *owlat.ContactPreferences
	err = l.call(ctx, client, l.fair, func(ctx context.Context, client *owlat.Client) (err error) {
		got, err = client.Preferences.Get(ctx, contactID) // no limit of Owlat's meets it, so that a 429 is a failure like any other
		return err
	})
	if err != nil {
		return nil, "", err
	}
	members = make(consent.Members, len(got.Topics))
	for _, t := range got.Topics {
		members[t.ID] = consent.Member{Name: t.Name, On: t.Subscribed}
	}
	return members, owlatsync.LowerAddress(owlatsync.Trim(got.Email)), nil
}

// OptOut opts a contact out of everything, once, and returns how many memberships that ended: 0 also for a contact that was on no topic, was
// deleted in the dashboard, or merged into another one. Its errors are those of Read.
func (l *Links) OptOut(ctx context.Context, client *owlat.Client, contactID string) (ended int, err error) {
	err = l.call(ctx, client, 0, func(ctx context.Context, client *owlat.Client) error {
		got, err := client.Preferences.OptOut(ctx, contactID)
		if err == nil {
			ended = got.TopicsLeft
		}
		return err
	})
	return ended, err
}

// call makes a call that may take so long, 0: as long as it likes. It sends nothing any more once others have ended the reading, also what waits
// for its turn by then, and is cut off when they have waited too long.
func (l *Links) call(ctx context.Context, client *owlat.Client, fair time.Duration, do func(context.Context, *owlat.Client) error) error {
	if !l.Able() {
		return l.untold()
	}
	cut, cancel := context.WithCancel(ctx)
	defer cancel()
	w := wait{of: l, cut: cancel}
	client, err := client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error {
		if !l.Able() {
			return ErrUntold
		}
		w.begin()
		return nil
	}))
	if err != nil {
		return err
	}
	err = do(cut, client)
	w.end(err == nil || IsGone(err), fair)
	return l.judge(ctx, err)
}

// untold says that nothing can be read, and why if there is a secret.
func (l *Links) untold() error {
	if ended := l.Refused(); ended != nil {
		return fmt.Errorf("%w: %w", ErrUntold, ended)
	}
	return ErrUntold
}

// judge notes what a call means for those that follow.
func (l *Links) judge(ctx context.Context, err error) error {
	l.mu.Lock()
	good := err == nil || IsGone(err)
	late := l.waiting.late()
	switch {
	case errors.Is(err, ErrUntold): // it waited while another was refused
		l.mu.Unlock()
		return l.untold()
	case !good && (ctx.Err() != nil || errors.Is(err, owlat.ErrInvalidInput)):
		l.mu.Unlock()
		return err
	case good:
		l.failed = 0
	default:
		l.failed++
	}
	refused := !good && IsRefusal(err)
	over := refused || late || l.failed >= linksOutage
	first := over && l.ended == nil
	if first {
		if l.ended = err; !refused && late {
			l.ended = errLate
		}
	}
	ended := l.ended
	l.mu.Unlock()
	if first && l.told != nil {
		l.told(ended)
	}
	if refused || late && !good {
		return fmt.Errorf("%w: %w", ErrUntold, ended)
	}
	return err
}

// IsRefusal reports whether every request with the unsubscribe secret would fail as this one did: the secret is another one, the clock is off,
// or what answers is not Owlat.
func IsRefusal(err error) bool {
	if refusal, ok := errors.AsType[*owlat.PreferencesError](err); ok {
		return refusal.Reason != owlat.ReasonContactNotFound
	}
	return errors.Is(err, owlat.ErrNoRoute) || errors.Is(err, owlat.ErrRedirect) || errors.Is(err, owlat.ErrForbidden) || errors.Is(err, owlat.ErrUnauthenticated)
}
