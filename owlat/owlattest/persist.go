package owlattest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// savedVersion is the version of the format that Save writes.
const savedVersion = 1

type saved struct {
	Version   int             `json:"version"`
	Drawn     uint64          `json:"drawn"`
	Random    uint64          `json:"random"`
	Seq       uint64          `json:"seq"`
	Keys      []savedKey      `json:"keys"`
	Topics    []savedTopic    `json:"topics"`
	Templates []savedTemplate `json:"templates"`
	Webhooks  []savedWebhook  `json:"webhooks"`
	Contacts  []savedContact  `json:"contacts"`
	Gone      []string        `json:"gone"` // ids of contacts deleted for good
	Blocked   []string        `json:"blocked"`
	Domain    bool            `json:"domainUnverified"`
	History   []Entry         `json:"history"`
}

type savedKey struct {
	Value   string   `json:"value"`
	Scopes  []string `json:"scopes"`
	Active  bool     `json:"active"`
	Expired bool     `json:"expired"`
}

type savedTopic struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DoubleOptIn bool   `json:"doubleOptIn"`
	Deleted     bool   `json:"deleted"`
}

type savedTemplate struct {
	ID        string   `json:"id"`
	Slug      string   `json:"slug"`
	Published bool     `json:"published"`
	Languages []string `json:"languages"`
}

type savedWebhook struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Secret string   `json:"secret"`
	Events []string `json:"events"`
}

type savedContact struct {
	ID           string    `json:"id"`
	Seq          uint64    `json:"seq"`
	Email        string    `json:"email,omitempty"`
	Identity     string    `json:"identity,omitempty"`
	FirstName    *string   `json:"firstName"`
	LastName     *string   `json:"lastName"`
	Source       string    `json:"source"`
	DOIStatus    string    `json:"doiStatus"`
	Topics       []string  `json:"topics"`
	Created      time.Time `json:"createdAt"`
	Updated      time.Time `json:"updatedAt"`
	Unsubscribed time.Time `json:"unsubscribedAt,omitzero"`
	Erased       time.Time `json:"deletedAt,omitzero"`
}

// Save writes the whole state as JSON: tables, keys and the consent history, but no counts, faults or webhooks under
// way. The values of the API keys are in it.
func (s *Server) Save(w io.Writer) error {
	s.lock()
	state := s.snapshot()
	s.mu.Unlock()
	if err := json.NewEncoder(w).Encode(state); err != nil {
		return fmt.Errorf("save the sandbox: %w", err)
	}
	return nil
}

func (s *Server) snapshot() saved {
	state := saved{
		Version: savedVersion, Drawn: s.drawn, Random: s.random, Seq: s.contacts.seq, Domain: s.unverified,
		Blocked: slices.Sorted(maps.Keys(s.blocked)), History: slices.Clone(s.history.entries),
	}
	for _, k := range ordered(s.keys) {
		state.Keys = append(state.Keys, savedKey{k.value, k.scopes, !k.off, k.late})
	}
	for _, t := range ordered(s.topics) {
		state.Topics = append(state.Topics, savedTopic{t.id, t.name, t.doubleOptIn, t.deleted})
	}
	for _, t := range ordered(s.templates) {
		state.Templates = append(state.Templates, savedTemplate{t.id, t.slug, t.published, t.languages})
	}
	for _, w := range s.hooks.list {
		state.Webhooks = append(state.Webhooks, savedWebhook{w.id, w.url, w.secret, w.events})
	}
	for id, c := range ordered(s.contacts.byID) {
		if c.gone {
			state.Gone = append(state.Gone, id)
			continue
		}
		state.Contacts = append(state.Contacts, savedContact{
			ID: c.id, Seq: c.seq, Email: c.email, Identity: c.identity, FirstName: c.firstName, LastName: c.lastName,
			Source: c.source, DOIStatus: c.doiStatus, Topics: c.state().Topics, Created: c.created, Updated: c.updated,
			Unsubscribed: c.unsubscribed, Erased: c.erased,
		})
	}
	slices.SortFunc(state.Contacts, func(a, b savedContact) int { return cmp.Compare(a.Seq, b.Seq) })
	return state
}

// Load replaces the state by one that Save wrote. If it cannot be read, nothing changes.
func (s *Server) Load(r io.Reader) error {
	var state saved
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		return fmt.Errorf("load the sandbox: %w", err)
	}
	if err := state.check(); err != nil {
		return fmt.Errorf("load the sandbox: %w", err)
	}
	s.lock()
	defer s.mu.Unlock()
	s.clear()
	s.changed()
	s.random, s.drawn, s.unverified = state.Random, state.Drawn, state.Domain
	s.history.entries = state.History
	for _, email := range state.Blocked {
		s.blocked[email] = true
	}
	for _, k := range state.Keys {
		s.addKey(k.Value, k.Scopes, k.Active, k.Expired)
	}
	for _, t := range state.Topics {
		s.topics[t.ID] = &topic{t.ID, t.Name, t.DoubleOptIn, t.Deleted, map[*contact]struct{}{}}
	}
	for _, t := range state.Templates {
		s.templates[t.ID] = &template{t.ID, t.Slug, t.Published, t.Languages}
	}
	for _, w := range state.Webhooks {
		s.hooks.list = append(s.hooks.list, &webhook{w.ID, w.URL, w.Secret, w.Events})
	}
	for _, id := range state.Gone {
		s.contacts.byID[id] = &contact{id: id, gone: true}
	}
	for _, c := range state.Contacts {
		s.restore(c)
	}
	s.contacts.seq = state.Seq
	return nil
}

func (s *Server) restore(from savedContact) {
	c := &contact{
		id: from.ID, email: from.Email, identity: from.Identity, firstName: from.FirstName, lastName: from.LastName,
		source: from.Source, doiStatus: from.DOIStatus, created: from.Created, updated: from.Updated,
		unsubscribed: from.Unsubscribed,
	}
	s.contacts.seq = from.Seq - 1
	s.contacts.insert(c)
	for _, id := range from.Topics {
		t := s.topics[id]
		c.topics = append(c.topics, t)
		t.members[c] = struct{}{}
	}
	if c.erased = from.Erased; !c.erased.IsZero() {
		s.contacts.retire(c)
	}
}

// check refuses what Save cannot have written and restore could not take.
func (state *saved) check() error {
	if state.Version != savedVersion {
		return fmt.Errorf("the file has version %d, this program reads version %d", state.Version, savedVersion)
	}
	topics := map[string]bool{}
	for _, t := range state.Topics {
		topics[t.ID] = true
	}
	last := uint64(0)
	for _, c := range state.Contacts {
		if c.Seq <= last || c.Seq > state.Seq {
			return fmt.Errorf("contact %s is out of order", c.ID)
		}
		last = c.Seq
		for _, id := range c.Topics {
			if !topics[id] {
				return fmt.Errorf("contact %s is on a topic that does not exist", c.ID)
			}
		}
	}
	return nil
}
