package session

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// board is a shelf in memory that counts what it is asked.
type board struct {
	mu          sync.Mutex
	kept        map[Hash]*note
	finds, uses int
}

type note struct {
	name        string
	account     Hash
	began, used time.Time
}

func (s *board) Put(_ context.Context, hash Hash, name string, account Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[hash] = &note{name, account, time.Now(), time.Now()}
	return nil
}

func (s *board) Find(_ context.Context, hash Hash) (Kept, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	n := s.kept[hash]
	if n == nil {
		return Kept{}, false, nil
	}
	return Kept{n.name, n.account, time.Since(n.began), time.Since(n.used)}, true, nil
}

func (s *board) Use(_ context.Context, hash Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uses++; s.kept[hash] != nil {
		s.kept[hash].used = time.Now()
	}
	return nil
}

func (s *board) Drop(_ context.Context, hash Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, hash)
	return nil
}

// TestNodesShareSessions: they are used at either node, end as at one, cost few questions, and end everywhere at once.
func TestNodesShareSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shelf := &board{kept: make(map[Hash]*note)}
		one, other := newBook(), newBook()
		one.Share(shelf)
		other.Share(shelf)
		enter := func() string {
			id, _, err := one.SignIn(from("192.0.2.1"), "ada", right)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		in := func(b *Book, id string) bool { _, ok := whoIs(b, id); return ok }
		id := enter()
		for range 1000 {
			if !in(other, id) {
				t.Fatal("the other node does not know who is signed in")
			}
		}
		if shelf.finds != 1 {
			t.Errorf("a thousand pages at once asked %d times", shelf.finds)
		}
		for range 3 * int(Idle/time.Minute) { // at the other node alone
			time.Sleep(time.Minute)
			if !in(other, id) {
				t.Fatal("a session that is in use ends")
			}
		}
		if !in(one, id) {
			t.Error("a session that was in use at another node is idle")
		}
		if most := 3*int(Idle/time.Minute) + 1; shelf.uses > most {
			t.Errorf("the shelf was told %d times that it is in use, of %d", shelf.uses, most)
		}
		time.Sleep(Idle)
		if in(one, id) || in(other, id) {
			t.Error("an idle session goes on")
		}
		id = enter()
		in(other, id)
		if err := one.SignOut(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fresh)
		if in(other, id) {
			t.Errorf("%s after the sign-out another node lets in", fresh)
		}
		id = enter()
		if other.ReplaceAll(nil, nil); in(other, id) || !in(one, id) {
			t.Error("an account that is gone is let in, or one that is there is not")
		}
		for began := time.Now(); in(one, id); time.Sleep(time.Minute) {
			if time.Since(began) > Life {
				t.Fatal("a busy session goes on for ever")
			}
		}
	})
}
