package config

import (
	"path/filepath"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/internal/sourcedsn"
	"owlatsync/reconcile"
	"owlatsync/source"
)

// DefaultFile is the name of the configuration file if none is given.
const DefaultFile = "owlat-sync.yaml"

// DefaultLedger is the file name of the ledger, beside the configuration file, if that names none.
const DefaultLedger = "owlat-sync.db"

// The environment variables that take precedence over the file.
const (
	EnvURL    = "OWLAT_URL"
	EnvAPIKey = "OWLAT_API_KEY"
)

// EnvSecret is the variable that a file names for the unsubscribe secret, as Owlat itself calls it. It counts only where the file names it.
const EnvSecret = "UNSUBSCRIBE_SECRET"

// Config is the valid configuration of one deployment: every value was checked, every variable replaced, every path made absolute.
type Config struct {
	Name   string // of the deployment, if it is one of several; empty: it is the only one
	File   string // the file it was read from; empty: the environment alone
	Owlat  Owlat
	Ledger Ledger
	// History is how long the ledger keeps the history of rows.
	History  time.Duration
	Syncs    []Sync // in the order of the file
	Feedback Feedback

	// The service. NoService is an *Error about settings of it that are not used, which are not to be relied on then.
	Service    Service
	Webhooks   Webhooks
	WriteBacks []WriteBack
	Alerts     []Alert
	Tokens     []Token   // let in to this deployment alone, beside those of Service
	Accounts   []Account // the same
	NoService  error
}

// Owlat is how to reach the deployment.
type Owlat struct {
	URL               string
	APIKey            Secret   // the only one, or the first
	MoreKeys          []Secret // of the same deployment, each with its own budget
	NoKey             error    // an *Error about a key that is not used; nil: the key can be used
	RequestsPerSecond float64  // with each key; 0: as many as Owlat allows

	UnsubscribeSecret    Secret  // of the deployment; empty: there is none, or nothing is sent
	PreferencesPerSecond float64 // 0: the SDK's rate
}

// Keys returns all API keys in the order of the file, none if there is none.
func (o Owlat) Keys() []Secret {
	if o.APIKey == "" {
		return nil
	}
	return append([]Secret{o.APIKey}, o.MoreKeys...)
}

// Sync is one source with its policies.
type Sync struct {
	Name   string
	Line   int // its line in the file
	DSN    Secret
	Target sourcedsn.DSN // the DSN, parsed
	Query  string        // empty for files and MongoDB
	// Collection and Filter say which documents of MongoDB are read; the filter is JSON, empty for all.
	Collection, Filter string

	Cursor source.Cursor // without a column: every run reads all rows
	// FullEvery is how often a run reads all rows in spite of a cursor.
	FullEvery time.Duration
	// Fresh is how long a run acts on what it has read; below 0 it reads its source once.
	Fresh  time.Duration
	Key    []string // empty: the address is the key
	Fields Fields
	Topics []Topic
	// Suppressed says whose rows no mail may ever follow from.
	Suppressed Suppressed
	Nulls      reconcile.NullPolicy
	// Duplicates says whose consents count when several rows have one key or address.
	Duplicates reconcile.DuplicateConsent

	OnMissing      reconcile.MissingPolicy
	OnRemoteDelete reconcile.RemoteDeletePolicy
	Guards         reconcile.Guards // with every limit set
	Events         []Event

	Schedule Schedule // when a service runs it
	// StaleAfter is how long after its last good run it is stale; below 0: never, 0: what follows from the schedule.
	StaleAfter time.Duration
	Listen     string        // the channel of PostgreSQL that wakes it; empty: none
	Poll       time.Duration // how often a service asks whether its cursor has moved; 0: never
}

// Fields names the column of each field; an empty name leaves the field unmapped.
type Fields struct {
	Email    string
	Others   owlatsync.Texts
	FullName string // of which the first and the last name are made
	Shapes   source.Shapes
}

// Topic is a topic to which the contacts of consenting rows are added.
type Topic struct {
	ID   string // empty: it is only known by its name, which is to be resolved
	Name string // what the file calls it; empty: nothing
	// Remembered says that the id is what the name stood for in an earlier run, and that Owlat is still to be asked.
	Remembered bool
	When       string       // column with the consent; empty: every row consents
	Words      source.Words // values of the column that mean yes and no; those that everybody uses where a list is empty
	Existing   reconcile.Existing
}

// Suppressed is the column that says to whom no mail may ever go.
type Suppressed struct {
	Column string       // empty: nobody is meant
	Words  source.Words // its values that mean yes and no, as those of a topic
}

// Sync returns the sync with the name, nil if there is none.
func (c *Config) Sync(name string) *Sync {
	for i := range c.Syncs {
		if c.Syncs[i].Name == name {
			return &c.Syncs[i]
		}
	}
	return nil
}

// Unresolved reports whether the file has only the name, for which Owlat has told no id yet.
func (t Topic) Unresolved() bool { return t.ID == "" || t.Remembered }

// Unresolved reports whether a topic of a sync is.
func (c *Config) Unresolved() bool {
	return slices.ContainsFunc(c.Syncs, func(s Sync) bool {
		return slices.ContainsFunc(s.Topics, func(t Topic) bool { return t.Unresolved() })
	})
}

// Names lists the syncs in the order of the file.
func (c *Config) Names() []string {
	names := make([]string, len(c.Syncs))
	for i, s := range c.Syncs {
		names[i] = s.Name
	}
	return names
}

// Dir returns the folder that relative paths in the file are relative to.
func (c *Config) Dir() string { return filepath.Dir(c.File) }

// Mapping returns the mapping of the sync's columns.
func (s *Sync) Mapping() source.Mapping {
	m := source.Mapping{
		Key:      s.Key,
		Email:    s.Fields.Email,
		Fields:   s.Fields.Others,
		FullName: s.Fields.FullName,
		Shapes:   s.Fields.Shapes,
	}
	for _, t := range s.Topics {
		m.Topics, m.Words = append(m.Topics, t.When), append(m.Words, t.Words)
	}
	m.Suppressed, m.SuppressedWords = s.Suppressed.Column, s.Suppressed.Words
	for _, ev := range s.Events {
		for _, p := range ev.Properties {
			if p.Value != nil {
				continue
			}
			// A row has each column once, under its own name, even if several events use it.
			column := source.Property{Name: p.Column, Column: p.Column}
			if !slices.Contains(m.Properties, column) {
				m.Properties = append(m.Properties, column)
			}
		}
	}
	return m
}
