package session

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// Hash is SHA-256 of what a browser holds, or of an account.
type Hash = [sha256.Size]byte

// Kept is a session as a shelf has it.
type Kept struct {
	Name      string // to sign in with
	Account   Hash
	Age, Rest time.Duration // since it began, and since it was last used
}

// Shelf keeps sessions where several processes see them. Its methods are safe for concurrent use.
type Shelf interface {
	// Put keeps a session that begins now.
	Put(ctx context.Context, hash Hash, name string, account Hash) error
	// Find returns a session. It may be over.
	Find(ctx context.Context, hash Hash) (k Kept, there bool, err error)
	// Use notes that a session is used now. One that is not there stays away.
	Use(ctx context.Context, hash Hash) error
	// Drop ends a session; without one it does nothing.
	Drop(ctx context.Context, hash Hash) error
}

const (
	// fresh is how long what the shelf said counts: so long after a sign-out at another process somebody may still be let in.
	fresh = 2 * time.Second
	// usedEvery is how exactly the shelf knows when a session was last used.
	usedEvery = time.Minute
	// shelfWithin is how long a page waits for the shelf.
	shelfWithin = 5 * time.Second
)

// Share keeps the sessions of a book without any on a shelf from now on.
func (b *Book) Share(s Shelf) { b.shelf = s }

// hash is what two accounts have in common only if nothing about them differs.
func (a holder) hash() Hash {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", a.Name, a.Role, a.deployment, a.Hash.Text()))
}

// recall brings what the book knows of a session up to date with the shelf, and, if that uses the session, what the shelf knows.
func (b *Book) recall(ctx context.Context, hash Hash, uses bool) error {
	if b.shelf == nil {
		return nil
	}
	now := time.Now()
	b.mu.Lock()
	e := b.sessions[hash]
	known := e != nil && now.Sub(e.seen) < fresh
	use := uses && e != nil && now.Sub(e.told) >= usedEvery
	b.mu.Unlock()
	if known && !use {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shelfWithin)
	defer cancel()
	k, there, err := b.shelf.Find(ctx, hash)
	if err != nil {
		return unseen(err)
	}
	if use && there && k.Rest < Idle && k.Age < Life {
		if err := b.shelf.Use(ctx, hash); err != nil {
			return unseen(err)
		}
		k.Rest = 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	acc, is := b.accounts[k.Name]
	if !there || !is || acc.hash() != k.Account {
		delete(b.sessions, hash)
		return nil
	}
	if e = b.sessions[hash]; e == nil {
		e = &entry{name: k.Name, told: now.Add(-k.Rest)}
		b.keep(hash, e)
	}
	if use {
		e.told = now
	}
	e.began, e.seen = now.Add(-k.Age), now
	if used := now.Add(-k.Rest); used.After(e.used) {
		e.used = used
	}
	return nil
}
