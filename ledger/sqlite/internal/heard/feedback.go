// Package heard keeps what Owlat told by webhooks: the feedback itself, and what follows from it: opt-outs, suppressions, the contacts
// that Owlat made for addresses, and the deliveries of write-backs.
package heard

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

const (
	insertFeedback = `INSERT INTO feedback (hash, event, contact, email, at, received, topics, kind, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
		ON CONFLICT (hash) DO NOTHING RETURNING id`
	upsertKnown = `INSERT INTO known (email, contact, at) VALUES (?1, ?2, ?3)
		ON CONFLICT (email) DO UPDATE SET contact = excluded.contact, at = excluded.at WHERE excluded.at >= at`
)

// Take puts news into the tables, unless their feedback is there already, or was there before its person was forgotten; the number is 0 then, and
// where nothing is left of them because the ledger knows it.
func Take(t dbfile.Tx, news *ledger.News) (took ledger.Receipt, err error) {
	f := &news.Feedback
	var erased bool
	if err := t.Row("SELECT EXISTS (SELECT 1 FROM erased WHERE hash = ?1)", []any{f.Hash[:]}, &erased); err != nil || erased {
		return ledger.Receipt{}, err
	}
	known, err := leftBy(t, news.OptOuts)
	if err != nil {
		return ledger.Receipt{}, err
	}
	left, fresh := news.Sift(known)
	if left == nil {
		err := t.Row("SELECT coalesce(max(id), 0) FROM feedback WHERE hash = ?1", []any{f.Hash[:]}, &took.ID)
		return took, err
	}
	news, f = left, &left.Feedback
	topics, err := encodeTopics(f.Topics)
	if err != nil {
		return ledger.Receipt{}, err
	}
	err = t.Row(insertFeedback, []any{
		f.Hash[:], f.Event, entry.TextOrNull(f.ContactID), entry.TextOrNull(f.Email), entry.TimeOrNull(f.At), f.Received.UnixMicro(), topics, f.Kind, f.Detail,
	}, &fresh.ID)
	if errors.Is(err, sql.ErrNoRows) {
		err = t.Row("SELECT id FROM feedback WHERE hash = ?1", []any{f.Hash[:]}, &took.ID)
		return took, err
	}
	if err != nil {
		return ledger.Receipt{}, err
	}
	for _, o := range news.OptOuts {
		if err := Leave(t, o); err != nil {
			return ledger.Receipt{}, err
		}
	}
	for _, s := range news.Suppressions {
		if err := Suppress(t, s); err != nil {
			return ledger.Receipt{}, err
		}
	}
	for address, contact := range news.Known {
		if err := t.Exec(upsertKnown, address, contact, knownAt(f).UnixMicro()); err != nil {
			return ledger.Receipt{}, err
		}
	}
	for i := range news.Deliveries {
		if err := deliver(t, fresh.ID, &news.Deliveries[i], f.Received); err != nil {
			return ledger.Receipt{}, err
		}
	}
	return fresh, nil
}

// leftBy returns the opt-outs that are known of the same contacts and topics.
func leftBy(t dbfile.Tx, optOuts []ledger.OptOut) (known []ledger.OptOut, err error) {
	for _, o := range optOuts {
		err := t.Each("SELECT "+OptOutColumns+" FROM opt_outs WHERE contact_id = ?1 AND topic = ?2", []any{o.ContactID, o.Topic}, func(rows *sql.Rows) error {
			k, err := ScanOptOut(rows)
			known = append(known, k)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// knownAt returns since when what the feedback tells is known.
func knownAt(f *ledger.Feedback) time.Time {
	if f.At.IsZero() {
		return f.Received
	}
	return f.At
}

// topicText is a topic of a feedback, as stored.
type topicText struct {
	ID   ledger.Text `json:"id"`
	Name ledger.Text `json:"name,omitempty"`
}

func encodeTopics(topics []ledger.FeedbackTopic) (any, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	texts := make([]topicText, len(topics))
	for i, topic := range topics {
		texts[i] = topicText{ledger.Text(topic.ID), ledger.Text(topic.Name)}
	}
	b, err := json.Marshal(texts)
	return string(b), err
}

func decodeTopics(text string) (topics []ledger.FeedbackTopic, err error) {
	var texts []topicText
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return nil, fmt.Errorf("%w (the topics of a feedback cannot be read)", ledger.ErrCorrupt)
	}
	for _, topic := range texts {
		topics = append(topics, ledger.FeedbackTopic{ID: string(topic.ID), Name: string(topic.Name)})
	}
	return topics, nil
}

// feedbackColumns are the columns that scanFeedback reads, of feedback f.
const feedbackColumns = "f.id, f.hash, f.event, f.contact, f.email, f.at, f.received, f.topics, f.kind, f.detail"

// scanFeedback reads a feedback, after the columns before.
func scanFeedback(rows *sql.Rows, before ...any) (f ledger.Feedback, err error) {
	var hash sql.RawBytes
	var contact, email, topics sql.NullString
	var at, received sql.NullInt64
	if err := rows.Scan(append(before, &f.ID, &hash, &f.Event, &contact, &email, &at, &received, &topics, &f.Kind, &f.Detail)...); err != nil {
		return f, err
	}
	if len(hash) != ledger.HashSize {
		return f, fmt.Errorf("%w (the hash of a feedback cannot be read)", ledger.ErrCorrupt)
	}
	copy(f.Hash[:], hash)
	f.ContactID, f.Email, f.At, f.Received = contact.String, email.String, entry.TimeOf(at), entry.TimeOf(received)
	if topics.Valid {
		f.Topics, err = decodeTopics(topics.String)
	}
	return f, err
}

const (
	latestFeedback = "SELECT " + feedbackColumns + " FROM feedback f WHERE f.id < ?1 AND (?3 = '' OR f.event = ?3) "
	ofPerson       = "AND f.id IN (SELECT id FROM feedback WHERE email = ?4 UNION ALL SELECT id FROM feedback WHERE contact = ?4) "
)

// Latest returns the latest feedback below the number before, newest first. An empty event or person means all, a limit below 1 no limit,
// and 0 before from the newest.
func Latest(ctx context.Context, file *dbfile.File, event, person string, before int64, limit int) (found []ledger.Feedback, err error) {
	if limit < 1 {
		limit = -1
	}
	if before == 0 {
		before = math.MaxInt64
	}
	query, args := latestFeedback, []any{before, limit, event}
	if person != "" {
		query, args = query+ofPerson, append(args, person)
	}
	err = file.Query(ctx, query+"ORDER BY f.id DESC LIMIT ?2", args, func(rows *sql.Rows) error {
		f, err := scanFeedback(rows)
		found = append(found, f)
		return err
	})
	return found, err
}

// latest is when the latest webhook came, NULL if none ever did.
const latest = "SELECT max(received) FROM (SELECT latest AS received FROM heard UNION ALL " +
	"SELECT * FROM (SELECT received FROM feedback WHERE kind <> '" + ledger.KindRead + "' ORDER BY received DESC LIMIT 1))"

// Last returns when the latest webhook came, zero if none ever did.
func Last(ctx context.Context, file *dbfile.File) (time.Time, error) {
	var at sql.NullInt64
	err := file.Readers.QueryRowContext(ctx, latest).Scan(&at)
	return entry.TimeOf(at), err
}

// noteLatest keeps when the latest webhook came, before feedback is deleted.
func noteLatest(t dbfile.Tx) error { return t.Exec("UPDATE heard SET latest = (" + latest + ")") }

const (
	oldFeedback = `SELECT id FROM feedback f WHERE received < ?1
		AND NOT EXISTS (SELECT 1 FROM deliveries WHERE feedback = f.id AND state = 'waiting') ORDER BY received LIMIT ?2`
	oldErased = "SELECT hash FROM erased WHERE received < ?1 ORDER BY received LIMIT ?2"
	oldKnown  = "SELECT email FROM known WHERE at < ?1 ORDER BY at LIMIT ?2"
)

// Prune removes a batch of feedback that came before the time and has no waiting delivery, with its deliveries, and of what is known, and
// erased, from before it.
func Prune(t dbfile.Tx, before time.Time, batch int) (n int64, more bool, err error) {
	args := []any{before.UnixMicro(), batch}
	if err := noteLatest(t); err != nil {
		return 0, false, err
	}
	if err := t.Exec("DELETE FROM deliveries WHERE feedback IN ("+oldFeedback+")", args...); err != nil {
		return 0, false, err
	}
	told, err := t.Affect("DELETE FROM feedback WHERE id IN ("+oldFeedback+")", args...)
	if err != nil {
		return 0, false, err
	}
	known, err := t.Affect("DELETE FROM known WHERE email IN ("+oldKnown+")", args...)
	if err != nil {
		return 0, false, err
	}
	erased, err := t.Affect("DELETE FROM erased WHERE hash IN ("+oldErased+")", args...)
	return told + known, max(told, known, erased) == int64(batch), err
}
