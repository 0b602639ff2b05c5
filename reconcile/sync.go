package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/reading"
	"owlatsync/reconcile/scan"
)

// Source gives the rows of one sync. A source may also be a Connector, Incremental, or Keyed.
type (
	Source      = scan.Source
	Connector   = scan.Connector
	Incremental = scan.Incremental
	Keyed       = scan.Keyed
)

// What a user decides about a sync; package policy explains the types and their values.
type (
	Topic              = policy.Topic
	Existing           = policy.Existing
	NullPolicy         = policy.NullPolicy
	MissingPolicy      = policy.MissingPolicy
	RemoteDeletePolicy = policy.RemoteDeletePolicy
	DuplicateConsent   = policy.DuplicateConsent
	EventRule          = policy.EventRule
	Guards             = policy.Guards
	Limit              = policy.Limit
)

// NoLimit lifts a guard.
var NoLimit = policy.NoLimit

// The values of policies.
const (
	ExistingSkip         = policy.ExistingSkip
	ExistingAdd          = policy.ExistingAdd
	NullsKeep            = policy.NullsKeep
	NullsClear           = policy.NullsClear
	ConsentWinner        = policy.ConsentWinner
	ConsentAny           = policy.ConsentAny
	MissingKeep          = policy.MissingKeep
	MissingLeave         = policy.MissingLeave
	MissingDelete        = policy.MissingDelete
	RemoteDeleteKeep     = policy.RemoteDeleteKeep
	RemoteDeleteRecreate = policy.RemoteDeleteRecreate
)

// DefaultFullEvery is how often a run reads all rows of an Incremental source if the sync does not say.
const DefaultFullEvery = 24 * time.Hour

// Sync is one source with its policies.
type Sync struct {
	Name   string // unique in the ledger
	Source Source
	Topics []Topic                // in the order of Row.Consents
	Named  []owlatsync.NamedTopic // what of them users call by a name; it decides nothing, and stands in the report of runs
	// Suppressed says that rows tell to whom no mail may ever go (Row.Suppressed). They are opted out of everything if the engine's client has
	// an unsubscribe secret; without it they leave the topics of the sync.
	Suppressed bool
	Nulls      NullPolicy
	// Overwrite says for each field whether a run may replace what Owlat holds in contacts that exist; the zero value: always. Under another
	// word a value is kept where it may not be replaced: the contact stays as it is there, the row counts as in step, and what was kept is told
	// once (Report.Kept). Where somebody may have changed a field in Owlat since the last answer, a run reads the contact right before it writes, or lists all contacts where
	// that costs less; this needs the scope contacts:read. What changes between the look and the write is overwritten: Owlat has no conditional write.
	Overwrite owlatsync.Overwrites
	// KeyIsAddress says that rows have no key of their own: the normalised address is the key, and a changed address makes another
	// row.
	KeyIsAddress bool
	Duplicates   DuplicateConsent // empty means ConsentWinner

	// FullEvery, if above 0, lets runs read only the changed rows of an Incremental source. It is the time after which a run reads
	// all rows again: only such a run finds rows that have left.
	FullEvery time.Duration
	// Fresh is how long a run acts on what it has read of the source. If there is more to do, it reads and plans again. 0 means
	// DefaultFresh; below 0 a run reads its source once.
	Fresh time.Duration

	OnMissing      MissingPolicy      // empty means MissingKeep
	OnRemoteDelete RemoteDeletePolicy // empty means RemoteDeleteKeep
	Guards         Guards
	Events         []EventRule
	// Match says that rows only send events to whoever in Owlat has their address: no contact is created or changed. The sync has no topics then.
	Match bool
	// Since is from when on facts count, also in the first run (OnFact); zero: those count that come after the first run.
	Since time.Time
}

// Policies returns the policies of the sync.
func (s *Sync) Policies() *policy.Policies {
	return &policy.Policies{
		Sync: s.Name, Topics: s.Topics, Suppressed: s.Suppressed, Nulls: s.Nulls, Overwrite: s.Overwrite, KeyIsAddress: s.KeyIsAddress, Duplicates: s.Duplicates, OnMissing: s.OnMissing,
		OnRemoteDelete: s.OnRemoteDelete, Guards: s.Guards, Events: s.Events, Match: s.Match, Since: s.Since,
	}
}

// asked returns how the sync is read of which nothing special is asked.
func (s *Sync) asked(l ledger.Reader) reading.Asked {
	return reading.Asked{Ledger: l, Policies: s.Policies(), Source: s.Source, FullEvery: s.FullEvery}
}

func (s *Sync) fresh() time.Duration { return cmp.Or(s.Fresh, DefaultFresh) }

// Fingerprint returns the fingerprint that the ledger has once the row is applied completely. The error says why the row is
// invalid.
func (s *Sync) Fingerprint(row *owlatsync.Row) (ledger.Fingerprint, error) {
	r, _, invalid := scan.NewReader(s.Policies()).Read(row)
	if invalid != "" {
		return ledger.Fingerprint{}, errors.New(invalid)
	}
	return r.Fingerprint, nil
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
	return s.Policies().Validate()
}
