package heard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// deliver adds a delivery of a feedback. Without a time of its own it is due when the feedback came.
func deliver(t dbfile.Tx, feedback int64, d *ledger.Delivery, received time.Time) error {
	due := d.Due
	if due.IsZero() {
		due = received
	}
	return t.Exec(`INSERT INTO deliveries (feedback, target, person, topic, state, attempts, due, error) VALUES (?1, ?2, ?3, ?4, 'waiting', 0, ?5, '')`,
		feedback, d.Target, d.Person, d.Topic, due.UnixMicro())
}

const (
	written   = "UPDATE opt_outs SET written = max(coalesce(written, 0), ?2)" + ofDelivery
	unwritten = "UPDATE opt_outs SET written = NULL" + ofDelivery + " AND written = ?2"
)

// ofDelivery are the opt-outs that a delivery is about: that of its topic, or of all topics of the feedback.
const ofDelivery = `
	WHERE contact_id = (SELECT f.contact FROM deliveries d JOIN feedback f ON f.id = d.feedback WHERE d.id = ?1)
	AND topic IN (SELECT d.topic FROM deliveries d WHERE d.id = ?1 AND d.topic <> ''
		UNION ALL SELECT j.value ->> 'id' FROM deliveries d JOIN feedback f ON f.id = d.feedback JOIN json_each(f.topics) j WHERE d.id = ?1 AND d.topic = '')`

// Writes notes that statements are about to write deliveries into a source.
func Writes(t dbfile.Tx, ids []int64, at time.Time) error {
	for _, id := range ids {
		if err := t.Exec(written, id, at.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

// Done notes that a delivery was done. Nothing is the time of Writes if there was nothing to write, else zero.
func Done(t dbfile.Tx, id int64, at, nothing time.Time) error {
	err := t.Exec("UPDATE deliveries SET state = 'done', attempts = attempts + 1, done = ?2, error = '' WHERE id = ?1 AND state <> 'done'",
		id, at.UnixMicro())
	if err != nil || nothing.IsZero() {
		return err
	}
	return t.Exec(unwritten, id, nothing.UnixMicro())
}

// Failed notes a failed attempt of a waiting delivery, whether it was refused, and when the next is due; zero: never.
func Failed(t dbfile.Tx, id int64, reason string, refused bool, next time.Time) error {
	const failed = "UPDATE deliveries SET attempts = attempts + 1, refused = refused + ?3, error = ?2"
	if next.IsZero() {
		return t.Exec(failed+", state = 'dead' WHERE id = ?1 AND state = 'waiting'", id, reason, refused)
	}
	return t.Exec(failed+", due = ?4 WHERE id = ?1 AND state = 'waiting'", id, reason, refused, next.UnixMicro())
}

// Retry makes dead deliveries wait again; no ids mean all. It returns their number.
func Retry(t dbfile.Tx, ids []int64, now time.Time) (n int64, err error) {
	const again = "UPDATE deliveries SET state = 'waiting', attempts = 0, refused = 0, due = ?1 WHERE state = 'dead'"
	if len(ids) == 0 {
		return t.Affect(again, now.UnixMicro())
	}
	for _, id := range ids {
		one, err := t.Affect(again+" AND id = ?2", now.UnixMicro(), id)
		if err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

const (
	// foremost is the condition that no older delivery to the target about the person waits.
	foremost = ` AND NOT EXISTS (SELECT 1 FROM deliveries o INDEXED BY deliveries_person
		WHERE o.target = d.target AND o.person = d.person AND o.state = 'waiting' AND o.id < d.id)`
	deliveryColumns = "SELECT d.id, d.target, d.person, d.topic, d.state, d.attempts, d.refused, d.due, d.done, d.error, " + feedbackColumns
	// dueDeliveries leaves when a delivery is due to the index, so that deliveries that are not due yet cost little.
	dueDeliveries = deliveryColumns + ` FROM deliveries d INDEXED BY deliveries_order CROSS JOIN feedback f ON f.id = d.feedback
		WHERE d.target = ?1 AND d.state = 'waiting' AND d.due <= ?2` + foremost + " ORDER BY d.id LIMIT ?3"
	nextDelivery     = "SELECT d.due FROM deliveries d INDEXED BY deliveries_due WHERE d.target = ?1 AND d.state = 'waiting'" + foremost + " ORDER BY d.due LIMIT 1"
	latestDeliveries = deliveryColumns + " FROM deliveries d CROSS JOIN feedback f ON f.id = d.feedback WHERE %s ORDER BY d.id DESC LIMIT ?1"
	// countDeliveries has indexes for those that wait or are dead.
	countDeliveries = `SELECT target, state, count(*) FROM deliveries WHERE state = 'waiting' GROUP BY target
		UNION ALL SELECT target, state, count(*) FROM deliveries WHERE state = 'dead' GROUP BY target
		UNION ALL SELECT target, 'done', n FROM delivered WHERE n > 0`
)

func deliveries(ctx context.Context, file *dbfile.File, query string, args ...any) (found []ledger.Delivery, err error) {
	err = file.Query(ctx, query, args, func(rows *sql.Rows) error {
		var d ledger.Delivery
		var due, done sql.NullInt64
		var err error
		d.Feedback, err = scanFeedback(rows, &d.ID, &d.Target, &d.Person, &d.Topic, &d.State, &d.Attempts, &d.Refused, &due, &done, &d.Error)
		d.Due, d.Done = entry.TimeOf(due), entry.TimeOf(done)
		found = append(found, d)
		return err
	})
	return found, err
}

// Due returns the deliveries to a target that are due, oldest first: of each person only the oldest that waits.
func Due(ctx context.Context, file *dbfile.File, target string, now time.Time, limit int) ([]ledger.Delivery, error) {
	return deliveries(ctx, file, dueDeliveries, target, now.UnixMicro(), limit)
}

// Next returns when the next delivery to a target is due, zero if none waits.
func Next(ctx context.Context, file *dbfile.File, target string) (time.Time, error) {
	var due sql.NullInt64
	err := file.Readers.QueryRowContext(ctx, nextDelivery, target).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return entry.TimeOf(due), err
}

// Deliveries returns the latest deliveries with the state, newest first; an empty state means all, a limit below 1 no limit.
func Deliveries(ctx context.Context, file *dbfile.File, state ledger.DeliveryState, limit int) ([]ledger.Delivery, error) {
	if limit < 1 {
		limit = -1
	}
	switch state {
	case "":
		return deliveries(ctx, file, fmt.Sprintf(latestDeliveries, "true"), limit)
	case ledger.DeliveryDead: // there is an index for these words
		return deliveries(ctx, file, fmt.Sprintf(latestDeliveries, "d.state = 'dead'"), limit)
	}
	return deliveries(ctx, file, fmt.Sprintf(latestDeliveries, "d.state = ?2"), limit, string(state))
}

// Counts counts the deliveries of each target by their state.
func Counts(ctx context.Context, file *dbfile.File) (map[string]map[ledger.DeliveryState]int, error) {
	counts := make(map[string]map[ledger.DeliveryState]int)
	err := file.Query(ctx, countDeliveries, nil, func(rows *sql.Rows) error {
		var target string
		var state ledger.DeliveryState
		var n int
		err := rows.Scan(&target, &state, &n)
		if counts[target] == nil {
			counts[target] = make(map[ledger.DeliveryState]int)
		}
		counts[target][state] = n
		return err
	})
	return counts, err
}
