package heard

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// deliver adds the deliveries of feedback. Without a time of its own a delivery is due when the feedback came.
func deliver(t pgrow.Tx, fresh []told) error {
	var feedback, due []int64
	var targets, persons, topics [][]byte
	for _, f := range fresh {
		for i := range f.Deliveries {
			d := &f.Deliveries[i]
			at := d.Due
			if at.IsZero() {
				at = f.Feedback.Received
			}
			feedback, due = append(feedback, f.id), append(due, at.UnixMicro())
			targets, persons, topics = append(targets, []byte(d.Target)), append(persons, []byte(d.Person)), append(topics, []byte(d.Topic))
		}
	}
	n := len(feedback)
	if n == 0 {
		return nil
	}
	last, err := t.Number(pgrow.Deliveries, n)
	if err != nil {
		return err
	}
	_, err = t.Change(`INSERT INTO @deliveries (deployment, id, feedback, target, person, topic, state, due)
		SELECT $1, $2 + x.place, x.feedback, x.target, x.person, x.topic, 'waiting', x.due
		FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[]) WITH ORDINALITY AS x (feedback, target, person, topic, due, place)`,
		last-int64(n), feedback, targets, persons, topics, due)
	return err
}

// about returns the opt-outs that deliveries are about: that of a delivery's topic, or of all topics of its feedback.
func about(t pgrow.Tx, ids []int64) (contacts, topics [][]byte, err error) {
	err = t.Find(`SELECT f.contact, d.topic, f.topics FROM @deliveries d JOIN @feedback f ON f.deployment = $1 AND f.id = d.feedback
		WHERE d.deployment = $1 AND d.id = ANY ($2::bigint[]) AND f.contact IS NOT NULL`, []any{ids}, func(rows pgx.Rows) error {
		var contact, topic, all []byte
		if err := rows.Scan(&contact, &topic, &all); err != nil {
			return err
		}
		if len(topic) > 0 {
			contacts, topics = append(contacts, contact), append(topics, topic)
			return nil
		}
		left, err := decodeTopics(all)
		for _, topic := range left {
			contacts, topics = append(contacts, contact), append(topics, []byte(topic.ID))
		}
		return err
	})
	return contacts, topics, err
}

const (
	written   = "UPDATE @opt_outs o SET written = greatest(o.written, $4)" + ofContacts
	unwritten = "UPDATE @opt_outs o SET written = NULL" + ofContacts + " AND o.written = $4"

	ofContacts = ` FROM (SELECT DISTINCT * FROM unnest($2::bytea[], $3::bytea[]) AS u (contact, topic)) x
		WHERE o.deployment = $1 AND o.contact_id = x.contact AND o.topic = x.topic`
)

func writeAbout(t pgrow.Tx, statement string, ids []int64, at time.Time) error {
	contacts, topics, err := about(t, ids)
	if err != nil || len(contacts) == 0 {
		return err
	}
	_, err = t.Change(statement, contacts, topics, at.UnixMicro())
	return err
}

// Writes notes that statements are about to write deliveries into a source.
func Writes(t pgrow.Tx, ids []int64, at time.Time) error { return writeAbout(t, written, ids, at) }

// Done notes that a delivery was done. Nothing is the time of Writes if there was nothing to write, else zero.
func Done(t pgrow.Tx, id int64, at, nothing time.Time) error {
	_, err := t.Change(`WITH done AS (UPDATE @deliveries SET state = 'done', attempts = attempts + 1, done = $3, error = ''
			WHERE deployment = $1 AND id = $2 AND state <> 'done' RETURNING target)
		INSERT INTO @delivered AS d (deployment, target, n) SELECT $1, target, 1 FROM done
		ON CONFLICT (deployment, target) DO UPDATE SET n = d.n + 1`, id, at.UnixMicro())
	if err != nil || nothing.IsZero() {
		return err
	}
	return writeAbout(t, unwritten, []int64{id}, nothing)
}

// Failed notes a failed attempt of a waiting delivery, whether it was refused, and when the next is due; zero: never.
func Failed(t pgrow.Tx, id int64, reason string, refused bool, next time.Time) error {
	_, err := t.Change(`UPDATE @deliveries SET attempts = attempts + 1, refused = refused + CASE WHEN $4::boolean THEN 1 ELSE 0 END, error = $3::bytea,
		due = coalesce($5::bigint, due), state = CASE WHEN $5 IS NULL THEN 'dead' ELSE state END
		WHERE deployment = $1 AND id = $2 AND state = 'waiting'`, id, reason, refused, pgrow.TimeOrNull(next))
	return err
}

// Retry makes dead deliveries wait again; no ids mean all. It returns their number.
func Retry(t pgrow.Tx, ids []int64, now time.Time) (n int64, err error) {
	const again = "UPDATE @deliveries SET state = 'waiting', attempts = 0, refused = 0, due = $2 WHERE deployment = $1 AND state = 'dead'"
	if len(ids) == 0 {
		return t.Change(again, now.UnixMicro())
	}
	return t.Change(again+" AND id = ANY ($3::bigint[])", now.UnixMicro(), ids)
}

const (
	// foremost is the condition that no older delivery to the target about the person waits.
	foremost = ` AND NOT EXISTS (SELECT 1 FROM @deliveries o WHERE o.deployment = $1 AND o.target = d.target AND o.person = d.person
		AND o.state = 'waiting' AND o.id < d.id)`
	deliveryColumns = "SELECT d.id, d.target, d.person, d.topic, d.state, d.attempts, d.refused, d.due, d.done, d.error, " + feedbackColumns
	fromDeliveries  = " FROM @deliveries d JOIN @feedback f ON f.deployment = $1 AND f.id = d.feedback WHERE d.deployment = $1"
	dueDeliveries   = deliveryColumns + fromDeliveries + " AND d.target = $2 AND d.state = 'waiting' AND d.due <= $3" + foremost + " ORDER BY d.id LIMIT $4"
	nextDelivery    = "SELECT d.due FROM @deliveries d WHERE d.deployment = $1 AND d.target = $2 AND d.state = 'waiting'" + foremost + " ORDER BY d.due LIMIT 1"
	countDeliveries = `SELECT target, state, count(*) FROM @deliveries WHERE deployment = $1 AND state = 'waiting' GROUP BY target, state
		UNION ALL SELECT target, state, count(*) FROM @deliveries WHERE deployment = $1 AND state = 'dead' GROUP BY target, state
		UNION ALL SELECT target, 'done', n FROM @delivered WHERE deployment = $1 AND n > 0`
)

func deliveries(ctx context.Context, read pgrow.Read, query string, args ...any) (found []ledger.Delivery, err error) {
	err = read(ctx, query, args, func(rows pgx.Rows) error {
		var d ledger.Delivery
		var due, done pgrow.Moment
		var err error
		d.Feedback, err = scanFeedback(rows, &d.ID, &d.Target, &d.Person, &d.Topic, &d.State, &d.Attempts, &d.Refused, &due, &done, &d.Error)
		d.Due, d.Done = due.Time, done.Time
		found = append(found, d)
		return err
	})
	return found, err
}

// Due returns the deliveries to a target that are due, oldest first: of each person only the oldest that waits.
func Due(ctx context.Context, read pgrow.Read, target string, now time.Time, limit int) ([]ledger.Delivery, error) {
	return deliveries(ctx, read, dueDeliveries, target, now.UnixMicro(), max(0, limit))
}

// Next returns when the next delivery to a target is due, zero if none waits.
func Next(ctx context.Context, read pgrow.Read, target string) (time.Time, error) {
	var due pgrow.Moment
	err := read(ctx, nextDelivery, []any{target}, func(rows pgx.Rows) error { return rows.Scan(&due) })
	return due.Time, err
}

// Deliveries returns the latest deliveries with the state, newest first; an empty state means all, a limit below 1 no limit.
func Deliveries(ctx context.Context, read pgrow.Read, state ledger.DeliveryState, limit int) ([]ledger.Delivery, error) {
	query, args := deliveryColumns+fromDeliveries, []any{pgrow.Limit(limit)}
	switch state {
	case "":
	case ledger.DeliveryDead, ledger.DeliveryWaiting: // there are indexes for these words
		query += " AND d.state = '" + string(state) + "'"
	default:
		query, args = query+" AND d.state = $3", append(args, string(state))
	}
	return deliveries(ctx, read, query+" ORDER BY d.id DESC LIMIT $2", args...)
}

// Counts counts the deliveries of each target by their state.
func Counts(ctx context.Context, read pgrow.Read) (map[string]map[ledger.DeliveryState]int, error) {
	counts := make(map[string]map[ledger.DeliveryState]int)
	err := read(ctx, countDeliveries, nil, func(rows pgx.Rows) error {
		var target, state string
		var n int
		err := rows.Scan(&target, &state, &n)
		if counts[target] == nil {
			counts[target] = make(map[ledger.DeliveryState]int)
		}
		counts[target][ledger.DeliveryState(state)] = n
		return err
	})
	return counts, err
}
