package home

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/errand"
	"owlatsync/internal/setup"
	"owlatsync/internal/ways"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// Inquiry finds out about rows what the ledger does not know.
func (d *Deployment) Inquiry() api.Inquiry { return inquiry{d} }

// inquiry asks Owlat within the budget of the home: through it if it is in this process, and otherwise as a command beside the service would.
type inquiry struct{ d *Deployment }

// carrier does errands within the budget of a home; a *Home does.
type carrier interface {
	Call(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error)
}

// direct is the line of errands to a home in this process.
type direct struct{ to carrier }

// Call implements errand.Line.
func (l direct) Call(ctx context.Context, _ string, sealed json.RawMessage) (json.RawMessage, error) {
	return l.to.Call(ctx, sealed)
}

// Configured implements api.Inquiry.
func (q inquiry) Configured() []config.Sync { return q.d.Config().Syncs }

// Ways implements api.Inquiry.
func (q inquiry) Ways() ways.Ways { return ways.Of(q.d.Config()) }

// Contact implements api.Inquiry.
func (q inquiry) Contact(ctx context.Context, id string) (_ *owlat.Contact, err error) {
	cfg := q.d.Config()
	if cfg.Owlat.NoKey != nil {
		return nil, cfg.Owlat.NoKey
	}
	if to, here := q.d.at().(carrier); here {
		return q.through(ctx, to, cfg, id)
	}
	out, err := setup.OpenOutside(ctx, q.d.o.Opener, cfg, "a look at a contact", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return out.Contacts.Get(ctx, id)
}

// Members implements api.Inquiry.
func (q inquiry) Members(ctx context.Context, id string) (*owlat.ContactPreferences, error) {
	client, err := q.d.o.Opener.Client(q.d.Config().Owlat)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	if !client.Preferences.Configured() {
		return nil, nil
	}
	return client.Preferences.Get(ctx, id)
}

// through asks for a contact by an errand of the home (Invariant 5).
func (q inquiry) through(ctx context.Context, to carrier, cfg *config.Config, id string) (*owlat.Contact, error) {
	client, err := q.d.o.Opener.Client(cfg.Owlat)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	client, err = errand.NewClient(client, cfg.Owlat.APIKey.Reveal(), direct{to}, cfg.Name, http.DefaultTransport)
	if err != nil {
		return nil, err
	}
	return client.Contacts.Get(ctx, id)
}

// Unsent implements api.Inquiry.
func (q inquiry) Unsent(sync string) (api.Unsent, bool) { return q.d.unsent.rows(sync) }

// Read implements api.Inquiry.
func (q inquiry) Read(ctx context.Context, sync config.Sync, see func(*owlatsync.Row), each func(reconcile.Trouble) error) error {
	return setup.Unsendable(ctx, q.d.o.Opener, q.d.Config(), q.d.ledger, sync, see, each)
}
