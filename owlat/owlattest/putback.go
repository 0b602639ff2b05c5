package owlattest

import "maps"

// Return is somebody who had left a topic and was put on it by the API.
type Return struct {
	Left  Entry // the latest way out: of that topic, or of everything
	Added Entry
}

// PutBack judges a consent history, oldest entry first as [Server.History] gives it: it returns the adds by the API that
// put somebody on a topic whom a person, the dashboard or the API had taken off it since the last add, and for which there
// was no new consent.
//
// Ways out are an unsubscription from the topic, a removal from it by the API or in the dashboard, an opt-out of everything, an erasure in the
// dashboard and a deletion by the API; the last three concern every topic. Somebody is a contact, and also who is created
// with an address after the contact that last had it: one who was deleted and made again has still left. Renames make no
// entry, so that an address counts for a contact from its next entry on.
//
// What a new consent is the history cannot tell: consented is asked for every return, in order, and answers whether whoever
// added was told to after Left and not yet has acted on it. An add that it does not justify counts as an add all the same,
// so that each is returned once.
func PutBack(history []Entry, consented func(Return) bool) []Return {
	var back []Return
	people := make(map[string]*standing)    // by contact
	addresses := make(map[string]*standing) // of who had the address last
	for i, e := range history {
		s := people[e.ContactID]
		if s == nil {
			s = &standing{everything: -1, left: make(map[string]int), added: make(map[string]int)}
			if before := addresses[e.Email]; before != nil && e.Action == Created && e.Email != "" {
				s = &standing{everything: before.everything, left: maps.Clone(before.left), added: maps.Clone(before.added)}
			}
			people[e.ContactID] = s
		}
		addresses[e.Email] = s
		switch e.Action {
		case Unsubscribed, Removed:
			s.left[e.TopicID] = i
		case OptedOut, Erased, Deleted:
			s.everything = i
		case Added:
			if at := s.out(e.TopicID); at >= 0 && e.By == ByAPI {
				if r := (Return{Left: history[at], Added: e}); !consented(r) {
					back = append(back, r)
				}
			}
			s.added[e.TopicID] = i
		}
	}
	return back
}

// standing is where in the history somebody left and was added, by topic.
type standing struct {
	everything  int // -1: never
	left, added map[string]int
}

// out returns where in the history the person last left the topic, -1 if not since the last add.
func (s *standing) out(topic string) int {
	at := s.everything
	if left, ever := s.left[topic]; ever {
		at = max(at, left)
	}
	if added, ever := s.added[topic]; ever && added > at {
		return -1
	}
	return at
}
