package sqlite

import (
	"context"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/heard"
)

// mailbox implements ledger.Mailbox.
type mailbox struct{ *base }

// reading explains the error of a read.
func reading[T any](ctx context.Context, what string, found T, err error) (T, error) {
	if err != nil {
		return *new(T), fmt.Errorf("read %s of the ledger: %w", what, dbfile.Explain(ctx, err))
	}
	return found, nil
}

// TakeIn durably records news, all or nothing. Calls that come while a transaction is written share the next one, with each other and
// with those of Record.
func (m mailbox) TakeIn(ctx context.Context, news ledger.News) (took ledger.Receipt, err error) {
	if err = news.Check(); err == nil {
		err = m.share(ctx, nil, func(t *tx) (err error) {
			if took, err = heard.Take(t.Tx, &news); took.New {
				t.acts, t.closes = true, true
			}
			return err
		})
	}
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("take feedback into ledger: %w", err)
	}
	return took, nil
}

// Feedbacks implements ledger.Mailbox.
func (m mailbox) Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]ledger.Feedback, error) {
	found, err := heard.Latest(ctx, m.f, event, person, before, limit)
	return reading(ctx, "feedback", found, err)
}

// LastFeedback implements ledger.Mailbox.
func (m mailbox) LastFeedback(ctx context.Context) (time.Time, error) {
	at, err := heard.Last(ctx, m.f)
	return reading(ctx, "feedback", at, err)
}

// Suppress implements ledger.Mailbox.
func (m mailbox) Suppress(ctx context.Context, suppressions ...ledger.Suppression) error {
	return m.update(ctx, "record suppressions in ledger", dbfile.Durable, func(t *tx) error {
		t.acts, t.closes = true, true
		return heard.Suppress(t.Tx, suppressions...)
	})
}

// Lift implements ledger.Mailbox.
func (m mailbox) Lift(ctx context.Context, address string) (was bool, err error) {
	const doing = "lift a suppression of the ledger"
	secret, err := m.forgetSecret(ctx)
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, dbfile.Explain(ctx, err))
	}
	err = m.update(ctx, doing, dbfile.Durable, func(t *tx) (err error) {
		was, err = heard.Lift(t.Tx, secret, address)
		return err
	})
	return was, err
}

// AllSuppressions implements ledger.Mailbox.
func (m mailbox) AllSuppressions(ctx context.Context, limit int) ([]ledger.Suppression, error) {
	found, err := heard.AllSuppressions(ctx, m.f, limit)
	return reading(ctx, "suppressions", found, err)
}

// OptOuts returns the known opt-outs of the contacts, including those of forgotten persons.
func (r syncReader) OptOuts(ctx context.Context, contactIDs []string) ([]ledger.OptOut, error) {
	found, err := heard.OptOuts(ctx, r.f, r.forgetSecret, contactIDs)
	return reading(ctx, "opt-outs", found, err)
}

// Suppressions returns the suppressions of the addresses, including those of forgotten persons.
func (r syncReader) Suppressions(ctx context.Context, addresses []string) (map[string]ledger.Suppression, error) {
	found, err := heard.Suppressions(ctx, r.f, r.forgetSecret, addresses)
	return reading(ctx, "suppressions", found, err)
}

// Round implements ledger.Rounds.
func (r syncReader) Round(ctx context.Context) (ledger.Round, error) {
	round, err := heard.Round(ctx, r.f)
	return reading(ctx, "rounds", round, err)
}

// Known implements ledger.Heard.
func (r syncReader) Known(ctx context.Context, addresses []string) (map[string]string, error) {
	found, err := heard.Known(ctx, r.f, addresses)
	return reading(ctx, "contacts", found, err)
}

// outbox implements ledger.Outbox. Its writes share transactions as those of TakeIn do.
type outbox struct{ *base }

// DueDeliveries implements ledger.Outbox.
func (o outbox) DueDeliveries(ctx context.Context, target string, now time.Time, limit int) ([]ledger.Delivery, error) {
	found, err := heard.Due(ctx, o.f, target, now, limit)
	return reading(ctx, "deliveries", found, err)
}

// NextDelivery implements ledger.Outbox.
func (o outbox) NextDelivery(ctx context.Context, target string) (time.Time, error) {
	due, err := heard.Next(ctx, o.f, target)
	return reading(ctx, "deliveries", due, err)
}

func (o outbox) note(ctx context.Context, fn func(*tx) error) error {
	if err := o.share(ctx, nil, fn); err != nil {
		return fmt.Errorf("note a delivery in ledger: %w", err)
	}
	return nil
}

// Writes implements ledger.Outbox.
func (o outbox) Writes(ctx context.Context, ids []int64, at time.Time) error {
	return o.note(ctx, func(t *tx) error { return heard.Writes(t.Tx, ids, at) })
}

// Delivered implements ledger.Outbox.
func (o outbox) Delivered(ctx context.Context, id int64, at, unwritten time.Time) error {
	return o.note(ctx, func(t *tx) error { return heard.Done(t.Tx, id, at, unwritten) })
}

// Undelivered implements ledger.Outbox.
func (o outbox) Undelivered(ctx context.Context, id int64, reason string, refused bool, next time.Time) error {
	return o.note(ctx, func(t *tx) error { return heard.Failed(t.Tx, id, reason, refused, next) })
}

// RetryDeliveries implements ledger.Outbox.
func (o outbox) RetryDeliveries(ctx context.Context, ids []int64, now time.Time) (n int, err error) {
	err = o.update(ctx, "let dead deliveries of the ledger be tried", dbfile.Durable, func(t *tx) error {
		again, err := heard.Retry(t.Tx, ids, now)
		n = int(again)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Deliveries implements ledger.Outbox.
func (o outbox) Deliveries(ctx context.Context, state ledger.DeliveryState, limit int) ([]ledger.Delivery, error) {
	found, err := heard.Deliveries(ctx, o.f, state, limit)
	return reading(ctx, "deliveries", found, err)
}

// DeliveryCounts implements ledger.Outbox.
func (o outbox) DeliveryCounts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error) {
	counts, err := heard.Counts(ctx, o.f)
	return reading(ctx, "deliveries", counts, err)
}
