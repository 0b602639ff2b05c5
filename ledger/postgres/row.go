package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
)

// row is an entry as it is stored, but for its sync and its number.
type row struct {
	texts [numTexts + owlatsync.NumContactFields][]byte // nil: NULL
	ints  [numInts]pgtype.Int8
	bools [numBools]bool
}

// The columns of an entry by their types; the fields of the contact follow the texts.
const (
	colKey = iota
	colContact
	colEmail
	colIdentity
	colOrigin
	colMembers
	colFailure
	colEvents
	colFingerprint
	colDeparted
	numTexts
)

const (
	colIntent = iota
	colState
	colFirstSeen
	colChangedAt
	colWitness
	colAsked
	numInts
)

const (
	colIntentLocal = iota
	colDoubt
	numBools
)

var (
	textColumns = [numTexts]string{"key", "contact_id", "email", "identity", "origin", "members", "failure", "events", "fingerprint", "departed"}
	intColumns  = [numInts]string{"intent", "state", "first_seen", "changed_at", "witness", "asked"}
	boolColumns = [numBools]string{"intent_local", "doubt"}
)

// columns are the names of the columns in the order of row.
var columns = func() (names []string) {
	names = append(names, textColumns[:]...)
	for _, f := range owlatsync.ContactFields {
		names = append(names, f.Column())
	}
	return append(append(names, intColumns[:]...), boolColumns[:]...)
}()

// entryColumns are the columns that scanEntry reads, of entries e.
var entryColumns = "e.number, e." + strings.Join(columns, ", e.")

// encodeRow returns an entry as it is stored, without its memberships. An entry without a time of change changed now.
func encodeRow(e *ledger.Entry, now time.Time) (r row, err error) {
	failure, err := entry.EncodeFailure(e.Failure)
	if err != nil {
		return r, err
	}
	if failure, ok := failure.(string); ok {
		r.texts[colFailure] = []byte(failure)
	}
	if r.texts[colEvents], err = entry.EncodeEvents(e.Events); err != nil {
		return r, err
	}
	r.texts[colKey], r.texts[colOrigin] = []byte(e.Key), filled(string(e.Origin))
	r.texts[colContact], r.texts[colEmail], r.texts[colDeparted] = bytesOrNil(e.ContactID), bytesOrNil(e.Email), bytesOrNil(e.Departed)
	if e.Identity != e.Email {
		r.texts[colIdentity] = filled(e.Identity)
	}
	r.texts[colFingerprint] = entry.EncodeFingerprint(e)
	for i, field := range e.Fields {
		r.texts[numTexts+i] = filled(field)
	}
	changed := e.ChangedAt
	if changed.IsZero() {
		changed = now
	}
	r.ints = [numInts]pgtype.Int8{
		colIntent: micros(e.Intent.Create), colState: {Int64: int64(entry.StateOf(e)), Valid: true}, colFirstSeen: micros(e.FirstSeen),
		colChangedAt: micros(changed), colWitness: micros(e.Witness), colAsked: micros(e.Asked()),
	}
	r.bools = [numBools]bool{colIntentLocal: e.Intent.Local, colDoubt: e.Doubt}
	return r, nil
}

// filled returns the bytes of a text, which are never NULL.
func filled(s string) []byte { return append([]byte{}, s...) }

// bytesOrNil returns the bytes of a text, nil for the empty text.
func bytesOrNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// micros is a time as it is stored.
func micros(t time.Time) pgtype.Int8 {
	if t.IsZero() {
		return pgtype.Int8{}
	}
	return pgtype.Int8{Int64: t.UnixMicro(), Valid: true}
}

// timeOf is the inverse of micros.
func timeOf(n pgtype.Int8) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

// scanEntry reads entryColumns; before takes the columns in front of them.
func (b *base) scanEntry(ctx context.Context, rows pgx.Rows, before ...any) (number int64, e *ledger.Entry, err error) {
	var texts [numTexts + owlatsync.NumContactFields]pgtype.DriverBytes
	var ints [numInts]pgtype.Int8
	e = new(ledger.Entry)
	into := append(make([]any, 0, len(before)+1+len(columns)), before...)
	into = append(into, &number)
	for i := range texts {
		into = append(into, &texts[i])
	}
	for i := range ints {
		into = append(into, &ints[i])
	}
	into = append(into, &e.Intent.Local, &e.Doubt)
	if err := rows.Scan(into...); err != nil {
		return 0, nil, err
	}
	e.Key, e.ContactID, e.Email, e.Identity = string(texts[colKey]), string(texts[colContact]), string(texts[colEmail]), string(texts[colEmail])
	e.Origin, e.Departed = ledger.Origin(texts[colOrigin]), string(texts[colDeparted])
	if texts[colIdentity] != nil {
		e.Identity = string(texts[colIdentity])
	}
	for i := range e.Fields {
		e.Fields[i] = string(texts[numTexts+i])
	}
	if e.Fingerprint, err = entry.DecodeFingerprint(texts[colFingerprint]); err != nil {
		return 0, nil, err
	}
	if e.Memberships, err = b.decodeMembers(ctx, texts[colMembers]); err != nil {
		return 0, nil, err
	}
	for _, c := range []struct {
		name string
		text []byte
		into any
	}{{"events", texts[colEvents], &e.Events}, {"failure", texts[colFailure], &e.Failure}} {
		if c.text == nil {
			continue
		}
		if err := json.Unmarshal(c.text, c.into); err != nil {
			return 0, nil, fmt.Errorf("%w (the %s of an entry cannot be read)", ledger.ErrCorrupt, c.name)
		}
	}
	e.Intent.Create, e.FirstSeen, e.ChangedAt, e.Witness = timeOf(ints[colIntent]), timeOf(ints[colFirstSeen]), timeOf(ints[colChangedAt]), timeOf(ints[colWitness])
	return number, e, nil
}

// decodeMembers returns the memberships of an entry. If another process has made a topic meanwhile, it reads the topics again.
func (b *base) decodeMembers(ctx context.Context, stored []byte) ([]ledger.Membership, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	ms, err := entry.DecodeMembers(stored, b.topics.all())
	if !errors.Is(err, ledger.ErrCorrupt) {
		return ms, err
	}
	if err := b.loadTopics(ctx); err != nil {
		return nil, err
	}
	return entry.DecodeMembers(stored, b.topics.all())
}

// loadTopics reads all topics of the deployment.
func (b *base) loadTopics(ctx context.Context) error {
	return b.query(ctx, "SELECT id, topic FROM @topics WHERE deployment = $1", nil, func(rows pgx.Rows) error {
		var id int64
		var topic string
		err := rows.Scan(&id, &topic)
		if err == nil {
			b.topics.keep(topic, id)
		}
		return err
	})
}
