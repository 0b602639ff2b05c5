package home

import (
	"context"
	"errors"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// Inquiry finds out about rows what the ledger does not know.
func (d *Deployment) Inquiry() api.Inquiry { return inquiry{d} }

// inquiry asks as a command beside the service would: so it works at every node, and within the one budget.
type inquiry struct{ d *Deployment }

// Configured implements api.Inquiry.
func (q inquiry) Configured() []config.Sync { return q.d.Config().Syncs }

// Contact implements api.Inquiry.
func (q inquiry) Contact(ctx context.Context, id string) (_ *owlat.Contact, err error) {
	cfg := q.d.Config()
	if cfg.Owlat.NoKey != nil {
		return nil, cfg.Owlat.NoKey
	}
	out, err := setup.OpenOutside(ctx, q.d.o.Opener, cfg, "a look at a contact", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return out.Contacts.Get(ctx, id)
}

// Read implements api.Inquiry.
func (q inquiry) Read(ctx context.Context, sync config.Sync, see func(*owlatsync.Row), each func(reconcile.Trouble) error) error {
	return setup.Unsendable(ctx, q.d.o.Opener, q.d.Config(), q.d.ledger, sync, see, each)
}
