package postgres

import (
	"context"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/server"
)

// outbox implements ledger.Outbox. Its writes share transactions as those of TakeIn do.
type outbox struct{ *base }

// DueDeliveries implements ledger.Outbox.
func (o outbox) DueDeliveries(ctx context.Context, target string, now time.Time, limit int) ([]ledger.Delivery, error) {
	found, err := heard.Due(ctx, o.query, target, now, limit)
	return reading(ctx, "deliveries", found, err)
}

// NextDelivery implements ledger.Outbox.
func (o outbox) NextDelivery(ctx context.Context, target string) (time.Time, error) {
	due, err := heard.Next(ctx, o.query, target)
	return reading(ctx, "deliveries", due, err)
}

func (o outbox) note(ctx context.Context, write func(*tx) error) error {
	if err := o.share(ctx, &call{write: write}); err != nil {
		return fmt.Errorf("note a delivery in ledger: %w", err)
	}
	return nil
}

// Writes implements ledger.Outbox.
func (o outbox) Writes(ctx context.Context, ids []int64, at time.Time) error {
	return o.note(ctx, func(t *tx) error { return heard.Writes(t, ids, at) })
}

// Delivered implements ledger.Outbox.
func (o outbox) Delivered(ctx context.Context, id int64, at, unwritten time.Time) error {
	return o.note(ctx, func(t *tx) error { return heard.Done(t, id, at, unwritten) })
}

// Undelivered implements ledger.Outbox.
func (o outbox) Undelivered(ctx context.Context, id int64, reason string, refused bool, next time.Time) error {
	return o.note(ctx, func(t *tx) error { return heard.Failed(t, id, reason, refused, next) })
}

// RetryDeliveries implements ledger.Outbox.
func (o outbox) RetryDeliveries(ctx context.Context, ids []int64, now time.Time) (n int, err error) {
	err = o.update(ctx, "let dead deliveries of the ledger be tried", server.Durable, func(t *tx) error {
		again, err := heard.Retry(t, ids, now)
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
	found, err := heard.Deliveries(ctx, o.query, state, limit)
	return reading(ctx, "deliveries", found, err)
}

// DeliveryCounts implements ledger.Outbox.
func (o outbox) DeliveryCounts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error) {
	counts, err := heard.Counts(ctx, o.query)
	return reading(ctx, "deliveries", counts, err)
}
