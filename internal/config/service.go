package config

import (
	"net/netip"
	"slices"
	"time"

	"owlatsync/internal/sourcedsn"
)

// DefaultListen is where a service listens if the file does not say.
const DefaultListen = "127.0.0.1:8420"

// What the file says of a service if it is silent.
const (
	DefaultStopWithin  = 30 * time.Second
	DefaultSilentAfter = 7 * 24 * time.Hour
)

// Role is what the bearer of a token, or who has signed in, may do.
type Role string

const (
	Viewer   Role = "viewer"   // sees how syncs stand, no addresses
	Operator Role = "operator" // sees everything, starts, approves and cancels runs
)

// Service is how "owlat-sync serve" serves.
type Service struct {
	Listen   string // host:port of everything; loopback unless there are Tokens or Accounts
	Public   string // host:port of the webhook route and health alone; empty: they are only at Listen
	TLS      TLS
	Proxies  []netip.Prefix // whose word about the client's address is believed
	URL      string         // where people reach Listen, for links; empty: not known
	Tokens   []Token
	Accounts []Account      // may sign in to the page
	Zone     *time.Location // of cron expressions; never nil
	Jitter   time.Duration
	// StopWithin is how long a stop waits for what is in flight.
	StopWithin time.Duration
	LogJSON    bool
	Line       int // of the section in the file; 0: it has none
}

// TLS names the files of a certificate and its key; both or none.
type TLS struct{ Cert, Key string }

// Token lets its bearer use the API.
type Token struct {
	Name string
	Role Role
	Hash [32]byte // SHA-256 of the token
}

// Schedule is when a sync is due; the zero value is never.
type Schedule struct {
	Text   string // as the file has it, for people: "*/5 * * * *" or "every 5m"
	Cron   string // an expression with five fields or a word such as @daily; empty: none
	Every  time.Duration
	Zone   *time.Location // of the expression; never nil if there is one
	Jitter time.Duration  // the most that a run is put off
}

// IsZero reports whether the sync is never due.
func (s Schedule) IsZero() bool { return s.Cron == "" && s.Every == 0 }

// Serves reports whether the configuration has anything that only a service uses.
func (c *Config) Serves() bool {
	return c.NoService != nil || c.Service.Line > 0 || len(c.Webhooks.Secrets)+len(c.WriteBacks)+len(c.Alerts) > 0 ||
		slices.ContainsFunc(c.Syncs, func(s Sync) bool { return s.RunsByItself() })
}

// Webhooks is how Owlat's webhooks are taken in.
type Webhooks struct {
	Secrets []Secret // any of them may have signed; empty: webhooks are not taken in
	MaxAge  time.Duration
	// SilentAfter is how long after the latest webhook the silence is told; 0: never.
	SilentAfter time.Duration
}

// WriteBack says where feedback goes; exactly one of Statement, Path and Hook is set.
type WriteBack struct {
	Name      string // unique
	On        []string
	Statement *Statement
	Path      string // an NDJSON file
	Hook      *Hook
	Line      int
}

// Statement is a statement that is run for feedback.
type Statement struct {
	Sync string // whose rows' keys :key is; its source is the database if DSN is empty
	DSN  Secret // empty: that of the sync's source
	// Target is the database, parsed.
	Target sourcedsn.DSN
	SQL    string
}

// Hook is a webhook of the user's own.
type Hook struct {
	URL    Secret // may hold a token
	Secret Secret // signs the body; empty: it is not signed
}

// Alert says who is told what is wrong. Exactly one channel is set.
type Alert struct {
	Name string // unique
	On   []string
	Line int

	Slack, Discord Secret // their webhooks' URLs
	Ntfy           *Ntfy
	Hook           *Hook
	Mail           *Mail
	Owlat          *OwlatMail
}

// Ntfy is a topic of an ntfy server.
type Ntfy struct {
	URL   Secret // with the topic
	Token Secret
}

// Mail is how mail is sent by SMTP.
type Mail struct {
	Host     string
	Port     int // 0: that of the TLS mode
	TLS      string
	User     string
	Password Secret
	From     string
	To       []string
}

// OwlatMail is a transactional mail of Owlat's own.
type OwlatMail struct {
	Slug string
	To   []string
}

// What an alert may be about.
const (
	AlertFailure   = "failure"       // a run failed or was stopped
	AlertHeld      = "held"          // a guard holds a run
	AlertRows      = "rows"          // too many rows failed or are invalid
	AlertStale     = "stale"         // a sync has had no good run for too long
	AlertSilent    = "silent"        // no webhook came although one should have
	AlertWriteBack = "write_back"    // a write-back is stuck
	AlertConfig    = "configuration" // a new configuration is not taken over
	AlertRecovery  = "recovery"      // what was told is over
)

// AlertKinds lists what alerts may be about.
var AlertKinds = []string{AlertFailure, AlertHeld, AlertRows, AlertStale, AlertSilent, AlertWriteBack, AlertConfig, AlertRecovery}

// The events of Owlat that a write-back may be for.
var FeedbackEvents = []string{"topic.unsubscribed", "email.bounced", "email.complained", "contact.created"}
