package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
)

// ErrUntold says that memberships cannot be read: there is no unsubscribe secret, or the deployment refuses it. What asks goes on as
// without the secret.
var ErrUntold = errors.New("memberships cannot be read")

// linksOutage is how many readings in a row must fail before a run does without them.
const linksOutage = 10

// Links reads memberships by the links in Owlat's mails, for one run. Once the deployment has refused the unsubscribe secret, nothing is read any
// more. The zero value reads nothing. It is safe for concurrent use.
type Links struct {
	able bool
	told func(refusal error)

	mu     sync.Mutex
	failed int   // readings in a row
	ended  error // why nothing is read any more; nil: it is
}

// NewLinks returns what reads with the client's unsubscribe secret. Told, which may be nil, is called once if the deployment refuses it: the
// error says what to do and holds neither a token nor an address.
func NewLinks(client *owlat.Client, told func(refusal error)) *Links {
	return &Links{able: client.Preferences.Configured(), told: told}
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
	if !l.Able() {
		return nil, "", ErrUntold
	}
	client, err = l.lately(client)
	if err != nil {
		return nil, "", err
	}
	got, err := client.Preferences.Get(ctx, contactID) // no limit of Owlat's meets it, so that a 429 is a failure like any other
	if err = l.judge(ctx, err); err != nil {
		return nil, "", err
	}
	members = make(consent.Members, len(got.Topics))
	for _, t := range got.Topics {
		members[t.ID] = consent.Member{Name: t.Name, On: t.Subscribed}
	}
	return members, owlatsync.LowerAddress(owlatsync.Trim(got.Email)), nil
}

// lately returns a client that sends nothing any more once the secret was refused, also what waits for its turn by then.
func (l *Links) lately(client *owlat.Client) (*owlat.Client, error) {
	return client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error {
		if !l.Able() {
			return ErrUntold
		}
		return nil
	}))
}

// OptOut opts a contact out of everything, once, and returns how many memberships that ended: 0 also for a contact that was on no topic, was
// deleted in the dashboard, or merged into another one. Its errors are those of Read.
func (l *Links) OptOut(ctx context.Context, client *owlat.Client, contactID string) (ended int, err error) {
	if !l.Able() {
		if refusal := l.Refused(); refusal != nil {
			return 0, fmt.Errorf("%w: %w", ErrUntold, refusal)
		}
		return 0, ErrUntold
	}
	if client, err = l.lately(client); err != nil {
		return 0, err
	}
	got, err := client.Preferences.OptOut(ctx, contactID)
	if err = l.judge(ctx, err); err != nil {
		return 0, err
	}
	return got.TopicsLeft, nil
}

// judge notes what a call means for those that follow.
func (l *Links) judge(ctx context.Context, err error) error {
	l.mu.Lock()
	switch {
	case err == nil, IsGone(err):
		l.failed = 0
		l.mu.Unlock()
		return err
	case errors.Is(err, ErrUntold): // it waited while another was refused
		refusal := l.ended
		l.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrUntold, refusal)
	case ctx.Err() != nil, errors.Is(err, owlat.ErrInvalidInput):
		l.mu.Unlock()
		return err
	}
	l.failed++
	refused := IsRefusal(err)
	if !refused && l.failed < linksOutage {
		l.mu.Unlock()
		return err
	}
	first := l.ended == nil
	if first {
		l.ended = err
	}
	l.mu.Unlock()
	if first && l.told != nil {
		l.told(err)
	}
	if refused {
		return fmt.Errorf("%w: %w", ErrUntold, err)
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
