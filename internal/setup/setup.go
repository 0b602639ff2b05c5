// Package setup opens what a configuration names: the client of the deployment, the ledger, the sources, and the engine that all
// syncs share. It has no flags, prints nothing and asks nobody, so that a command and a service can use it alike. A mistake in a
// configuration is an error with a hint and an exit code.
//
// The one idea to know: an Opener knows how to open, and a Session is what is open.
package setup

import (
	"database/sql"
	"fmt"
	"log/slog"

	"owlatsync/internal/config"
	"owlatsync/internal/feedback"
	"owlatsync/internal/problem"
	"owlatsync/internal/sourcedsn"
	"owlatsync/owlat"
)

// Drivers are how databases are opened. Only the program chooses and links them.
type Drivers struct {
	SQLite string                               // the name of the SQLite driver in database/sql
	MySQL  func(sourcedsn.DSN) (*sql.DB, error) // opens MySQL and MariaDB; it connects to nothing yet
}

// Opener opens what configurations name. It is safe for concurrent use.
type Opener struct {
	Drivers   Drivers
	Stdin     *Stdin       // for sources that are standard input; nil: there are none
	UserAgent string       // of every request; empty: the SDK's
	Logger    *slog.Logger // of clients and engines; nil: they are silent
	// Attempt is told of each attempt of a request to Owlat; nil: nobody is.
	Attempt func(owlat.Attempt)
	// Databases are shared with other openers; nil: each ledger in PostgreSQL has a database of its own.
	Databases *Databases
	// Routes says which write-backs are told of people who were found to have left topics; nil: those of the configuration.
	Routes func() []feedback.Route
	// Found is told of each of them once it is recorded. It must not block, and may be called by several goroutines; nil: nobody is told.
	Found func(feedback.Taken)
	// Line reaches a service that works with a ledger in PostgreSQL; nil: no request is sent through one.
	Line  Lines
	Reads bool // nothing is to be written to the ledger, so that one that cannot be written will do
}

// Client returns a client of the configured deployment within the configured budget. It sends nothing.
func (o Opener) Client(to config.Owlat, opts ...owlat.Option) (*owlat.Client, error) {
	all := keys(to, o.Logger)
	if to.UnsubscribeSecret != "" {
		all = append(all, owlat.WithUnsubscribeSecret(to.UnsubscribeSecret.Reveal()))
	}
	if to.PreferencesPerSecond > 0 {
		all = append(all, owlat.WithPreferencesRate(to.PreferencesPerSecond))
	}
	if o.UserAgent != "" {
		all = append(all, owlat.WithUserAgent(o.UserAgent))
	}
	if o.Logger != nil {
		all = append(all, owlat.WithLogger(o.Logger))
	}
	if o.Attempt != nil {
		all = append(all, owlat.WithObserver(o.Attempt))
	}
	client, err := owlat.NewClient(to.URL, to.APIKey.Reveal(), append(all, opts...)...)
	if err != nil {
		return nil, problem.Usage(err)
	}
	return client, nil
}

// keys returns the options of a client with the keys of the configuration, beside the first, and their budgets.
func keys(to config.Owlat, log *slog.Logger) []owlat.Option {
	all := []owlat.Option{owlat.WithLimiter(Limiter(to)), owlat.WithKeyRefused(keyRefused(log))}
	for _, key := range to.MoreKeys {
		all = append(all, owlat.WithMoreKeys(key.Reveal()))
	}
	return all
}

// keyRefused returns what tells at once that the work goes on with fewer keys than were configured.
func keyRefused(log *slog.Logger) func(owlat.KeyRefusal) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(r owlat.KeyRefusal) {
		log.Warn(fmt.Sprintf("Owlat refuses key %d of api_keys; the others do its work, more slowly, and it is tried again after a while", r.Key),
			"error", r.Err, "hint", "\"owlat-sync check\" tests each key")
	}
}
