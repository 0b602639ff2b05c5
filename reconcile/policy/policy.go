// Package policy has what a user decides about a sync: the topics and who is put on them, what a NULL, a missing row and a deleted
// contact mean, which events are sent, and the guards that hold a run. Policies are values; packages consent and plan decide what
// follows from them.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// Existing says what becomes of contacts that were in Owlat before the sync met them, and of contacts that the sync knew before a
// topic was added to the configuration.
type Existing string

const (
	ExistingSkip Existing = "skip" // leave their memberships as they are (the default)
	ExistingAdd  Existing = "add"  // put those whose row consents on the topic
)

// Topic is a topic to which a sync adds the contacts of consenting rows.
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
	MissingDelete MissingPolicy = "delete"       // it is deleted if this sync created it, else it leaves the topics
)

// RemoteDeletePolicy says what becomes of a row whose contact was deleted in Owlat.
type RemoteDeletePolicy string

const (
	RemoteDeleteKeep     RemoteDeletePolicy = "keep"     // it stays deleted and is reported (the default)
	RemoteDeleteRecreate RemoteDeletePolicy = "recreate" // it is created again, without its old memberships
)

// DuplicateConsent says whose consents count when several rows have one key or one address. The other values of the winning row count
// in any case.
type DuplicateConsent string

const (
	ConsentWinner DuplicateConsent = "winner" // those of the row that counts (the default)
	ConsentAny    DuplicateConsent = "any"    // a yes of any of the rows
)

// Policies are what a user decides about one sync.
type Policies struct {
	Sync   string  // the sync's name
	Topics []Topic // in the order of Row.Consents
	// Suppressed says that rows tell to whom no mail may ever go.
	Suppressed bool
	// OptsOut says that Owlat can be told so: there is an unsubscribe secret. Without it their contacts leave the topics of the sync.
	OptsOut bool
	Nulls   NullPolicy
	// Overwrite says which fields of contacts that are in Owlat may be overwritten.
	Overwrite owlatsync.Overwrites
	// KeyIsAddress says that rows have no key of their own: the normalised address is the key, and a changed address makes another
	// row.
	KeyIsAddress bool
	Duplicates   DuplicateConsent // empty means ConsentWinner

	OnMissing      MissingPolicy      // empty means MissingKeep
	OnRemoteDelete RemoteDeletePolicy // empty means RemoteDeleteKeep
	Guards         Guards
	Events         []EventRule
	// Match says that rows only send events to whoever in Owlat has their address: no contact is created or changed.
	Match bool
	// Since is from when on facts count, also in the first run (OnFact); zero: those count that come after the first run.
	Since time.Time
	// Properties says that the properties of rows are read although no event may need them.
	Properties bool
}

// Validate returns an error that names the sync and says what is wrong with its policies.
func (p *Policies) Validate() error {
	if !slices.Contains([]NullPolicy{"", NullsKeep, NullsClear}, p.Nulls) {
		return fmt.Errorf("sync %q: the NULL policy %q is neither %q nor %q", p.Sync, p.Nulls, NullsKeep, NullsClear)
	}
	for _, word := range append(p.Overwrite.Fields[:], p.Overwrite.Email) {
		if word != "" && !slices.Contains(owlatsync.OverwriteWords, word) {
			return fmt.Errorf("sync %q: overwrite is %q, none of %q", p.Sync, word, owlatsync.OverwriteWords)
		}
	}
	if !slices.Contains([]DuplicateConsent{"", ConsentWinner, ConsentAny}, p.Duplicates) {
		return fmt.Errorf("sync %q: the consent of duplicates is %q, neither %q nor %q", p.Sync, p.Duplicates, ConsentWinner, ConsentAny)
	}
	if !slices.Contains([]MissingPolicy{"", MissingKeep, MissingLeave, MissingDelete}, p.OnMissing) {
		return fmt.Errorf("sync %q: on_missing is %q, none of %q, %q and %q", p.Sync, p.OnMissing, MissingKeep, MissingLeave, MissingDelete)
	}
	if !slices.Contains([]RemoteDeletePolicy{"", RemoteDeleteKeep, RemoteDeleteRecreate}, p.OnRemoteDelete) {
		return fmt.Errorf("sync %q: on_remote_delete is %q, neither %q nor %q", p.Sync, p.OnRemoteDelete, RemoteDeleteKeep, RemoteDeleteRecreate)
	}
	if err := p.Guards.Validate(); err != nil {
		return fmt.Errorf("sync %q: %w", p.Sync, err)
	}
	for _, rule := range p.Events {
		if err := rule.Validate(); err != nil {
			return fmt.Errorf("sync %q: %w", p.Sync, err)
		}
	}
	if err := p.validateMatch(); err != nil {
		return fmt.Errorf("sync %q, which may only send events: %w", p.Sync, err)
	}
	seen := make(map[string]bool, len(p.Topics))
	for _, t := range p.Topics {
		switch {
		case t.ID == "":
			return fmt.Errorf("sync %q has a topic without an id", p.Sync)
		case seen[t.ID]:
			return fmt.Errorf("sync %q names topic %s twice", p.Sync, t.ID)
		case !slices.Contains([]Existing{"", ExistingSkip, ExistingAdd}, t.Existing):
			return fmt.Errorf("sync %q, topic %s: existing is %q, neither %q nor %q", p.Sync, t.ID, t.Existing, ExistingSkip, ExistingAdd)
		}
		seen[t.ID] = true
	}
	return nil
}

// validateMatch returns an error that says what a sync has that only sends events and cannot have it.
func (p *Policies) validateMatch() error {
	switch {
	case !p.Since.IsZero() && slices.ContainsFunc(p.Events, func(r EventRule) bool { return r.On != ledger.OnFact }):
		return fmt.Errorf("a time from when on facts count is for events on %q alone", ledger.OnFact)
	case !p.Match && slices.ContainsFunc(p.Events, func(r EventRule) bool { return r.On == ledger.OnFact }):
		return fmt.Errorf("an event on %q needs a sync that does nothing else", ledger.OnFact)
	case !p.Match:
	case len(p.Topics) > 0 || p.Suppressed:
		return errors.New("it has topics, or says to whom no mail may go, and changes no contact")
	case !p.KeepsMissing() || p.Recreates():
		return errors.New("nothing follows from rows or contacts that are gone")
	case len(p.Events) == 0 || slices.ContainsFunc(p.Events, func(r EventRule) bool { return !r.On.Watches() }):
		return fmt.Errorf("its events are on %q, %q and %q, because it creates and updates nothing", ledger.OnWhen, ledger.OnChanges, ledger.OnFact)
	}
	return nil
}

// Recreates reports whether a contact that was deleted in Owlat is to be created again.
func (p *Policies) Recreates() bool { return p.OnRemoteDelete == RemoteDeleteRecreate }

// Departure names the terms under which a row leaves the source: a row that has left under others is looked at again.
func (p *Policies) Departure() string {
	if p.KeepsMissing() {
		return string(MissingKeep)
	}
	ids := make([]string, len(p.Topics))
	for i, t := range p.Topics {
		ids[i] = t.ID
	}
	slices.Sort(ids)
	return fmt.Sprintf("%s %016x", p.OnMissing, ledger.HashText(strings.Join(ids, "\x00")))
}

// LetsGo reports whether the row of an entry has departed, and its sync does not keep what such rows leave.
func LetsGo(e *ledger.Entry) bool { return e.Departed != "" && e.Departed != string(MissingKeep) }

// KeepsMissing reports whether nothing follows from a row's absence.
func (p *Policies) KeepsMissing() bool { return p.OnMissing == MissingKeep || p.OnMissing == "" }

// Asks reports whether rows can say different things about topics: some topic has a consent column.
func (p *Policies) Asks() bool {
	return slices.ContainsFunc(p.Topics, func(t Topic) bool { return t.When })
}

// Crowds reports whether what a row says may count for other rows with its key or address.
func (p *Policies) Crowds() bool { return p.AnyConsent() || p.Suppressed }

// AnyConsent reports whether a yes of any of several rows with one key or address counts.
func (p *Policies) AnyConsent() bool { return p.Duplicates == ConsentAny && p.Asks() }
