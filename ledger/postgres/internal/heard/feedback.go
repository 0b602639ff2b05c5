// Package heard keeps what Owlat told by webhooks: the feedback itself, and what follows from it: opt-outs, suppressions, the contacts
// that Owlat made for addresses, and the deliveries of write-backs.
package heard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/pgrow"
)

const (
	// insertFeedback leaves out what is there already, or was there before its person was forgotten.
	insertFeedback = `INSERT INTO @feedback (deployment, id, hash, event, contact, email, at, received, topics, kind, detail)
		SELECT $1, x.* FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[], $11::bytea[])
			AS x (id, hash, event, contact, email, at, received, topics, kind, detail)
		WHERE NOT EXISTS (SELECT 1 FROM @erased e WHERE e.deployment = $1 AND e.hash = x.hash)
		ON CONFLICT (deployment, hash) DO NOTHING RETURNING id`
	sameFeedback = "SELECT hash, id FROM @feedback WHERE deployment = $1 AND hash = ANY ($2::bytea[])"
)

// Take puts all news into the tables whose feedback is not there yet, and of which something is left that the ledger does not know. The news are in the order in which they came.
func Take(t pgrow.Tx, all []*ledger.News) ([]ledger.Receipt, error) {
	taken := make([]ledger.Receipt, len(all))
	last, err := t.Number(pgrow.Feedback, len(all)) // also keeps a person from being forgotten meanwhile
	if err != nil {
		return nil, err
	}
	left, receipts, err := sift(t, all)
	if err != nil {
		return nil, err
	}
	fresh, err := insert(t, left, receipts, taken, last-int64(len(all)))
	if err != nil {
		return nil, err
	}
	if len(fresh) < len(all) {
		if err := findSame(t, all, taken); err != nil {
			return nil, err
		}
	}
	if len(fresh) == 0 {
		return taken, nil
	}
	return taken, follow(t, fresh)
}

// told is news with the number of their feedback.
type told struct {
	*ledger.News
	id int64
}

// sift returns what is left of news, nil where nothing is, with their receipts: the later ones know what the earlier ones tell.
func sift(t pgrow.Tx, all []*ledger.News) (left []*ledger.News, receipts []ledger.Receipt, err error) {
	left, receipts = make([]*ledger.News, len(all)), make([]ledger.Receipt, len(all))
	var contacts [][]byte
	for _, news := range all {
		for _, o := range news.OptOuts {
			contacts = append(contacts, []byte(o.ContactID))
		}
	}
	known := make(map[place]ledger.OptOut)
	if len(contacts) > 0 {
		err = t.Find("SELECT "+OptOutColumns+" FROM @opt_outs WHERE deployment = $1 AND contact_id = ANY ($2::bytea[])", []any{contacts}, func(rows pgx.Rows) error {
			o, err := ScanOptOut(rows)
			known[place{o.ContactID, o.Topic}] = o
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	for i, news := range all {
		var theirs []ledger.OptOut
		for _, o := range news.OptOuts {
			if k, there := known[place{o.ContactID, o.Topic}]; there {
				theirs = append(theirs, k)
			}
		}
		if left[i], receipts[i] = news.Sift(theirs); left[i] == nil {
			continue
		}
		for _, o := range left[i].OptOuts {
			p := place{o.ContactID, o.Topic}
			known[p] = o.Later(known[p])
		}
	}
	return left, receipts, nil
}

// insert adds the feedback that is not there yet, and returns it, and in taken its receipts; nil news are left out. The numbers go on after the given one.
func insert(t pgrow.Tx, all []*ledger.News, receipts, taken []ledger.Receipt, after int64) (fresh []told, err error) {
	n := len(all)
	ids, ats, received := make([]int64, 0, n), make([]*int64, 0, n), make([]int64, 0, n)
	var texts [7][][]byte // hash, event, contact, email, topics, kind, detail
	for i := range texts {
		texts[i] = make([][]byte, 0, n)
	}
	places := make(map[int64]int, n)
	hashes := make(map[[ledger.HashSize]byte]bool, n)
	for i, news := range all {
		if news == nil || hashes[news.Feedback.Hash] {
			continue
		}
		f := &news.Feedback
		hashes[f.Hash] = true
		topics, err := encodeTopics(f.Topics)
		if err != nil {
			return nil, err
		}
		id := after + 1 + int64(i)
		places[id] = i
		ids, received = append(ids, id), append(received, f.Received.UnixMicro())
		var at *int64
		if !f.At.IsZero() {
			at = new(f.At.UnixMicro())
		}
		ats = append(ats, at)
		for k, text := range [7][]byte{f.Hash[:], []byte(f.Event), pgrow.Nullable(f.ContactID), pgrow.Nullable(f.Email), topics, []byte(f.Kind), []byte(f.Detail)} {
			texts[k] = append(texts[k], text)
		}
	}
	isNew := make([]bool, n)
	err = t.Find(insertFeedback, []any{ids, texts[0], texts[1], texts[2], texts[3], ats, received, texts[4], texts[5], texts[6]}, func(rows pgx.Rows) error {
		var id int64
		err := rows.Scan(&id)
		i := places[id]
		taken[i], isNew[i] = receipts[i], true
		taken[i].ID = id
		return err
	})
	for i, news := range all {
		if isNew[i] {
			fresh = append(fresh, told{news, taken[i].ID})
		}
	}
	return fresh, err
}

// findSame finds the numbers of feedback that was there already.
func findSame(t pgrow.Tx, all []*ledger.News, taken []ledger.Receipt) error {
	same := make(map[[ledger.HashSize]byte][]int)
	var hashes [][]byte
	for i, news := range all {
		if !taken[i].New {
			same[news.Feedback.Hash] = append(same[news.Feedback.Hash], i)
			hashes = append(hashes, news.Feedback.Hash[:])
		}
	}
	return t.Find(sameFeedback, []any{hashes}, func(rows pgx.Rows) error {
		var hash []byte
		var id int64
		if err := rows.Scan(&hash, &id); err != nil {
			return err
		}
		for _, i := range same[[ledger.HashSize]byte(hash)] {
			taken[i].ID = id
		}
		return nil
	})
}

// follow records what follows from feedback that is new.
func follow(t pgrow.Tx, fresh []told) error {
	var optOuts []ledger.OptOut
	var suppressions []ledger.Suppression
	ties := make(map[string]tie)
	for _, n := range fresh {
		optOuts, suppressions = append(optOuts, n.OptOuts...), append(suppressions, n.Suppressions...)
		at := knownAt(&n.Feedback)
		for address, contact := range n.Known {
			if !at.Before(ties[address].at) {
				ties[address] = tie{contact, at}
			}
		}
	}
	if err := Leave(t, optOuts); err != nil {
		return err
	}
	if err := Suppress(t, suppressions); err != nil {
		return err
	}
	if err := keepTies(t, ties); err != nil {
		return err
	}
	return deliver(t, fresh)
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

// encodeTopics returns topics as they are stored, nil if there are none.
func encodeTopics(topics []ledger.FeedbackTopic) ([]byte, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	texts := make([]topicText, len(topics))
	for i, topic := range topics {
		texts[i] = topicText{ledger.Text(topic.ID), ledger.Text(topic.Name)}
	}
	return json.Marshal(texts)
}

func decodeTopics(text []byte) (topics []ledger.FeedbackTopic, err error) {
	if text == nil {
		return nil, nil
	}
	var texts []topicText
	if err := json.Unmarshal(text, &texts); err != nil {
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
func scanFeedback(rows pgx.Rows, before ...any) (f ledger.Feedback, err error) {
	var hash, topics []byte
	var at, received pgrow.Moment
	if err := rows.Scan(append(before, &f.ID, &hash, &f.Event, &f.ContactID, &f.Email, &at, &received, &topics, &f.Kind, &f.Detail)...); err != nil {
		return f, err
	}
	if len(hash) != ledger.HashSize {
		return f, fmt.Errorf("%w (the hash of a feedback cannot be read)", ledger.ErrCorrupt)
	}
	f.Hash, f.At, f.Received = [ledger.HashSize]byte(hash), at.Time, received.Time
	f.Topics, err = decodeTopics(topics)
	return f, err
}

const (
	latestFeedback = "SELECT " + feedbackColumns + " FROM @feedback f WHERE f.deployment = $1 AND f.id < $2 "
	ofEvent        = "AND ($4::bytea = '' OR f.event = $4) ORDER BY f.id DESC LIMIT $3"
	ofPerson       = `AND f.id IN (SELECT id FROM @feedback WHERE deployment = $1 AND email = $5::bytea
		UNION ALL SELECT id FROM @feedback WHERE deployment = $1 AND contact = $5) `
)

// Latest returns the latest feedback below the number before, newest first. An empty event or person means all, a limit below 1 no limit,
// and 0 before from the newest.
func Latest(ctx context.Context, read pgrow.Read, event, person string, before int64, limit int) (found []ledger.Feedback, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	query, args := latestFeedback, []any{before, pgrow.Limit(limit), event}
	if person != "" {
		query, args = query+ofPerson, append(args, person)
	}
	err = read(ctx, query+ofEvent, args, func(rows pgx.Rows) error {
		f, err := scanFeedback(rows)
		found = append(found, f)
		return err
	})
	return found, err
}

// latest is when the latest webhook came, NULL if none ever did.
const latest = "SELECT greatest((SELECT heard FROM @deployments WHERE id = $1), " +
	"(SELECT received FROM @feedback WHERE deployment = $1 AND kind <> '" + ledger.KindRead + "'::bytea ORDER BY received DESC LIMIT 1))"

// Last returns when the latest webhook came, zero if none ever did.
func Last(ctx context.Context, read pgrow.Read) (time.Time, error) {
	var at pgrow.Moment
	err := read(ctx, latest, nil, func(rows pgx.Rows) error { return rows.Scan(&at) })
	return at.Time, err
}

// noteLatest keeps when the latest webhook came, before feedback is deleted.
func noteLatest(t pgrow.Tx) error {
	_, err := t.Change("UPDATE @deployments SET heard = (" + latest + ") WHERE id = $1 AND heard IS DISTINCT FROM (" + latest + ")")
	return err
}

const (
	oldFeedback = `SELECT id FROM @feedback f WHERE deployment = $1 AND received < $2
		AND NOT EXISTS (SELECT 1 FROM @deliveries WHERE deployment = $1 AND feedback = f.id AND state = 'waiting') ORDER BY received LIMIT $3`
	oldErased = "SELECT hash FROM @erased WHERE deployment = $1 AND received < $2 ORDER BY received LIMIT $3"
	oldKnown  = "SELECT email FROM @known WHERE deployment = $1 AND at < $2 ORDER BY at LIMIT $3"
)

// Prune removes a batch of feedback that came before the time and has no waiting delivery, with its deliveries, and of what is known, and
// erased, from before it.
func Prune(t pgrow.Tx, before time.Time, batch int) (n int64, more bool, err error) {
	args := []any{before.UnixMicro(), batch}
	if err := noteLatest(t); err != nil {
		return 0, false, err
	}
	var old []int64
	err = t.Find(oldFeedback, args, func(rows pgx.Rows) error {
		var id int64
		err := rows.Scan(&id)
		old = append(old, id)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	told, err := drop(t, old)
	if err != nil {
		return 0, false, err
	}
	known, err := t.Change("DELETE FROM @known WHERE deployment = $1 AND email IN ("+oldKnown+") AND at < $2", args...)
	if err != nil {
		return 0, false, err
	}
	erased, err := t.Change("DELETE FROM @erased WHERE deployment = $1 AND hash IN ("+oldErased+")", args...)
	return told + known, max(told, known, erased) == int64(batch), err
}

// drop deletes feedback with its deliveries, and returns how much feedback.
func drop(t pgrow.Tx, ids []int64) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	_, err := t.Change(`WITH gone AS (DELETE FROM @deliveries WHERE deployment = $1 AND feedback = ANY ($2::bigint[]) RETURNING target, state)
		UPDATE @delivered d SET n = d.n - g.n FROM (SELECT target, count(*) AS n FROM gone WHERE state = 'done' GROUP BY target) g
		WHERE d.deployment = $1 AND d.target = g.target`, ids)
	if err != nil {
		return 0, err
	}
	return t.Change("DELETE FROM @feedback WHERE deployment = $1 AND id = ANY ($2::bigint[])", ids)
}
