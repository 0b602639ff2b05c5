package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/server"
)

// mailbox implements ledger.Mailbox.
type mailbox struct{ *base }

// reading explains the error of a read.
func reading[T any](ctx context.Context, what string, found T, err error) (T, error) {
	if err != nil {
		return *new(T), fmt.Errorf("read %s of the ledger: %w", what, server.Explain(ctx, err))
	}
	return found, nil
}

// TakeIn durably records news, all or nothing. Calls that come while a transaction is written share the next one.
func (m mailbox) TakeIn(ctx context.Context, news ledger.News) (took ledger.Receipt, err error) {
	c := &call{news: &news}
	if err = news.Check(); err == nil {
		err = m.share(ctx, c)
	}
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("take feedback into ledger: %w", err)
	}
	return c.taken, nil
}

// Feedbacks implements ledger.Mailbox.
func (m mailbox) Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]ledger.Feedback, error) {
	found, err := heard.Latest(ctx, m.query, event, person, before, limit)
	return reading(ctx, "feedback", found, err)
}

// LastFeedback implements ledger.Mailbox.
func (m mailbox) LastFeedback(ctx context.Context) (time.Time, error) {
	at, err := heard.Last(ctx, m.query)
	return reading(ctx, "feedback", at, err)
}

// Suppress implements ledger.Mailbox.
func (m mailbox) Suppress(ctx context.Context, suppressions ...ledger.Suppression) error {
	if len(suppressions) == 0 {
		return nil
	}
	return m.update(ctx, "record suppressions in ledger", server.Durable, func(t *tx) error {
		return heard.Suppress(t, suppressions)
	})
}

// Lift implements ledger.Mailbox.
func (m mailbox) Lift(ctx context.Context, address string) (was bool, err error) {
	err = m.update(ctx, "lift a suppression of the ledger", server.Durable, func(t *tx) error {
		if err := t.Fence(); err != nil {
			return err
		}
		var secret []byte
		if err := t.Row("SELECT forget_secret FROM @deployments WHERE id = $1", []any{t.deployment}, &secret); err != nil {
			return err
		}
		was, err = heard.Lift(t, secret, address, t.l.Now())
		return err
	})
	return was && err == nil, err
}

// AllSuppressions implements ledger.Mailbox.
func (m mailbox) AllSuppressions(ctx context.Context, limit int) ([]ledger.Suppression, error) {
	found, err := heard.AllSuppressions(ctx, m.query, limit)
	return reading(ctx, "suppressions", found, err)
}

// secretFor returns the secret of forgotten persons, nil if nobody was ever forgotten, and whether the table has a row of the deployment.
func (b *base) secretFor(ctx context.Context, table string) (secret []byte, some bool, err error) {
	err = b.query(ctx, "SELECT forget_secret, EXISTS (SELECT 1 FROM "+table+" WHERE deployment = $1) FROM @deployments WHERE id = $1", nil,
		func(rows pgx.Rows) error { return rows.Scan(&secret, &some) })
	return secret, some, err
}

// OptOuts returns the known opt-outs of the contacts, including those of forgotten persons.
func (r syncReader) OptOuts(ctx context.Context, contactIDs []string) (found []ledger.OptOut, err error) {
	if len(contactIDs) == 0 {
		return nil, nil
	}
	secret, some, err := r.secretFor(ctx, "@opt_outs")
	if some {
		found, err = heard.OptOuts(ctx, r.query, secret, contactIDs)
	}
	return reading(ctx, "opt-outs", found, err)
}

// Suppressions returns the suppressions of the addresses, including those of forgotten persons.
func (r syncReader) Suppressions(ctx context.Context, addresses []string) (map[string]ledger.Suppression, error) {
	found := make(map[string]ledger.Suppression)
	if len(addresses) == 0 {
		return found, nil
	}
	secret, some, err := r.secretFor(ctx, "@suppressions")
	if some {
		found, err = heard.Suppressions(ctx, r.query, secret, addresses)
	}
	return reading(ctx, "suppressions", found, err)
}

// Round implements ledger.Rounds.
func (r syncReader) Round(ctx context.Context) (ledger.Round, error) {
	round, err := heard.Round(ctx, r.query)
	return reading(ctx, "rounds", round, err)
}

// Known implements ledger.Heard.
func (r syncReader) Known(ctx context.Context, addresses []string) (map[string]string, error) {
	found, err := heard.Known(ctx, r.query, addresses)
	return reading(ctx, "contacts", found, err)
}

// Forgotten returns the normalised addresses of forgotten persons: those given to ForgetPerson, and those found with them. It leaves out
// the others.
func (r syncReader) Forgotten(ctx context.Context, addresses []string) (map[string]bool, error) {
	forgotten := make(map[string]bool)
	if len(addresses) == 0 {
		return forgotten, nil
	}
	secret, some, err := r.secretFor(ctx, "@forgotten")
	if some && secret != nil {
		byHash := make(map[string]string, len(addresses))
		hashes := make([]string, len(addresses))
		for i, address := range addresses {
			hashes[i] = string(ledger.HashAddress(secret, address))
			byHash[hashes[i]] = address
		}
		err = r.query(ctx, "SELECT hash FROM @forgotten WHERE deployment = $1 AND hash = ANY ($2::bytea[])", []any{pgrow.Bytes(hashes)}, func(rows pgx.Rows) error {
			var hash string
			err := rows.Scan(&hash)
			forgotten[byHash[hash]] = true
			return err
		})
	}
	return reading(ctx, "forgotten persons", forgotten, err)
}
