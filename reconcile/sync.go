package reconcile

import (
	"fmt"
	"slices"
	"time"
)

// Existing says what becomes of contacts that were in Owlat before the sync met them, and of those it knew before a topic
// was added to the configuration.
type Existing string

const (
	ExistingSkip Existing = "skip" // leave their memberships as they are (the default)
	ExistingAdd  Existing = "add"  // put those whose row consents on the topic
)

// Topic is a topic to whose members a sync adds the contacts of consenting rows.
type Topic struct {
	ID       string   // from Owlat's dashboard
	When     bool     // the source has a consent column for it; without one every row consents
	Existing Existing // empty means ExistingSkip
}

// NullPolicy says what a NULL name in the source does to the name in Owlat.
type NullPolicy string

const (
	NullsKeep  NullPolicy = "keep"  // leave Owlat's value (the default)
	NullsClear NullPolicy = "clear" // empty it
)

// MissingPolicy says what becomes of a contact whose row has left the source.
type MissingPolicy string

const (
	MissingKeep   MissingPolicy = "keep"         // nothing (the default)
	MissingLeave  MissingPolicy = "leave_topics" // it leaves the topics of the sync
	MissingDelete MissingPolicy = "delete"       // it is deleted, if this sync created it; else it leaves the topics
)

// RemoteDeletePolicy says what becomes of a row whose contact was deleted in Owlat.
type RemoteDeletePolicy string

const (
	RemoteDeleteKeep     RemoteDeletePolicy = "keep"     // it stays deleted and is reported (the default)
	RemoteDeleteRecreate RemoteDeletePolicy = "recreate" // it is created again, without its old memberships
)

// Sync is one source and what to make of it in Owlat.
type Sync struct {
	Name   string // unique in the ledger
	Source Source
	Topics []Topic // in the order of Row.Consents
	Nulls  NullPolicy
	// KeyIsAddress says that rows have no key of their own: their normalised address is the key, and a changed address is
	// another row.
	KeyIsAddress bool

	// FullEvery, if above 0, lets runs read only what changed where the source is Incremental, and says after which time one
	// reads all rows again: only that finds rows that have left.
	FullEvery time.Duration

	OnMissing      MissingPolicy      // empty means MissingKeep
	OnRemoteDelete RemoteDeletePolicy // empty means RemoteDeleteKeep
	Guards         Guards
	Events         []EventRule
}

func (s *Sync) validate() error {
	if s.Name == "" {
		return fmt.Errorf("the sync has no name")
	}
	if s.Source == nil {
		return fmt.Errorf("sync %q has no source", s.Name)
	}
	if s.FullEvery < 0 || s.FullEvery > 0 && s.KeyIsAddress {
		return fmt.Errorf("sync %q: reading only what changed needs a key of the rows' own and a time that is not negative", s.Name)
	}
	if !slices.Contains([]NullPolicy{"", NullsKeep, NullsClear}, s.Nulls) {
		return fmt.Errorf("sync %q: the NULL policy %q is neither %q nor %q", s.Name, s.Nulls, NullsKeep, NullsClear)
	}
	if !slices.Contains([]MissingPolicy{"", MissingKeep, MissingLeave, MissingDelete}, s.OnMissing) {
		return fmt.Errorf("sync %q: on_missing is %q, none of %q, %q and %q", s.Name, s.OnMissing, MissingKeep, MissingLeave, MissingDelete)
	}
	if !slices.Contains([]RemoteDeletePolicy{"", RemoteDeleteKeep, RemoteDeleteRecreate}, s.OnRemoteDelete) {
		return fmt.Errorf("sync %q: on_remote_delete is %q, neither %q nor %q", s.Name, s.OnRemoteDelete, RemoteDeleteKeep, RemoteDeleteRecreate)
	}
	if err := s.Guards.validate(); err != nil {
		return fmt.Errorf("sync %q: %w", s.Name, err)
	}
	for _, rule := range s.Events {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("sync %q: %w", s.Name, err)
		}
	}
	seen := make(map[string]bool, len(s.Topics))
	for _, t := range s.Topics {
		switch {
		case t.ID == "":
			return fmt.Errorf("sync %q has a topic without an id", s.Name)
		case seen[t.ID]:
			return fmt.Errorf("sync %q names topic %s twice", s.Name, t.ID)
		case !slices.Contains([]Existing{"", ExistingSkip, ExistingAdd}, t.Existing):
			return fmt.Errorf("sync %q, topic %s: existing is %q, neither %q nor %q", s.Name, t.ID, t.Existing, ExistingSkip, ExistingAdd)
		}
		seen[t.ID] = true
	}
	return nil
}
