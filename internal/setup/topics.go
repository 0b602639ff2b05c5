package setup

import (
	"context"
	"errors"

	"owlatsync/internal/config"
	"owlatsync/ledger"
)

// KnownContact returns what finds the id of a contact in the ledger of the configuration; "" if there is no ledger that can be read, or
// it knows none. It changes nothing.
func (o Opener) KnownContact(cfg *config.Config) func(context.Context) (string, error) {
	return func(ctx context.Context) (id string, err error) {
		o.Reads = true
		is, err := o.Examine(ctx, cfg)
		if err != nil || is.Missing || is.Outdated {
			return "", ctx.Err() // whoever needs the ledger tells what is wrong with it
		}
		l, err := o.Ledger(ctx, cfg)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		return knownContact(ctx, l, cfg)
	}
}

func knownContact(ctx context.Context, l ledger.Reader, cfg *config.Config) (string, error) {
	for _, sync := range cfg.Syncs {
		for e, err := range l.All(ctx, sync.Name) {
			if err != nil {
				return "", err
			}
			if e.ContactID != "" {
				return e.ContactID, nil
			}
		}
	}
	return "", nil
}
