package owlat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync/owlat/internal/wait"
)

// UpsertResult is the contact as it is after an upsert.
type UpsertResult struct {
	Contact
	// Created tells that this call made the contact. After a lost answer it is the best guess: the contact came from the
	// API and is not older than the call, by the server's clock.
	Created bool `json:"created"`
}

// Upsert makes the contact, or updates the one that has the address already: POST /contacts, on 409 PUT
// /contacts/{contact}. Names that are nil keep what Owlat has.
//
// A lost answer to the create does not end it: it reads the contact back and creates again only if it is not there, at
// most as often as the client retries. It fails with [ErrInvalidInput] for values that Owlat does not take, and with
// [ErrAddressDrift] when the address can be neither created nor found: such a contact can only be reached by its id.
func (s *Contacts) Upsert(ctx context.Context, in CreateContactRequest) (*UpsertResult, error) {
	begin := time.Now()
	for round := 1; ; round++ {
		created, err := s.Create(ctx, in)
		if err == nil {
			return &UpsertResult{Contact: *created, Created: true}, nil
		}
		if errors.Is(err, ErrConflict) {
			return s.updateHolder(ctx, in, err)
		}
		if !OutcomeUnknown(err) || ctx.Err() != nil {
			return nil, err
		}
		found, isNew, readErr := s.readBack(ctx, in, begin)
		switch {
		case readErr == nil:
			return s.settle(ctx, in, found, isNew)
		case !isGone(readErr):
			return nil, fmt.Errorf("read back after a lost answer: %w (the create: %w)", readErr, err)
		case round > s.core.retries:
			return nil, err
		}
		if pauseErr := wait.Sleep(ctx, s.core.pool.counted().Done(), s.core.backoff(round)); pauseErr != nil {
			return nil, err
		}
	}
}

// updateHolder updates the contact that has the address, after a create was told that it exists.
func (s *Contacts) updateHolder(ctx context.Context, in CreateContactRequest, taken error) (*UpsertResult, error) {
	updated, err := s.Update(ctx, in.Email, in.names())
	if err == nil {
		return &UpsertResult{Contact: *updated}, nil
	}
	var refusal *Error
	if isGone(err) && errors.As(taken, &refusal) {
		return nil, &AddressDriftError{Err: refusal}
	}
	return nil, err
}

// readBack looks for the contact of a create whose answer was lost, and guesses whether that create made it.
func (s *Contacts) readBack(ctx context.Context, in CreateContactRequest, begin time.Time) (*Contact, bool, error) {
	found, err := s.Get(ctx, in.Email)
	if errors.Is(err, ErrForbidden) { // the key may not read; an update tells as much
		found, err = s.Update(ctx, in.Email, in.names())
	}
	if err != nil {
		return nil, false, err
	}
	since, _, _ := s.core.clock.At(begin)
	return found, found.Source == "api" && !found.CreatedAt.Before(since), nil
}

// settle updates a contact that was read back, if it differs.
func (s *Contacts) settle(ctx context.Context, in CreateContactRequest, found *Contact, isNew bool) (*UpsertResult, error) {
	if in.holdsIn(found) {
		return &UpsertResult{Contact: *found, Created: isNew}, nil
	}
	updated, err := s.Update(ctx, found.ID, in.names())
	if err != nil {
		return nil, err
	}
	return &UpsertResult{Contact: *updated, Created: isNew}, nil
}
