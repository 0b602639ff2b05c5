// Package entryrow is how the ledger in PostgreSQL keeps an entry: its columns, and the statement that puts entries into their table.
package entryrow

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
)

// PackSlots is how many numbers a pack of marks covers: see the function mark in the migrations.
const PackSlots = 117

// Row is an entry as it is stored, but for its sync and its number.
type Row struct {
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

// Names are the names of the columns in the order of Row.Values.
var Names = func() (names []string) {
	names = append(names, textColumns[:]...)
	for _, f := range owlatsync.ContactFields {
		names = append(names, f.Column())
	}
	return append(append(names, intColumns[:]...), boolColumns[:]...)
}()

// Columns are the columns that Scan reads, of entries e.
var Columns = "e.number, e." + strings.Join(Names, ", e.")

// Encode returns an entry as it is stored, without its memberships. An entry without a time of change changed now.
func Encode(e *ledger.Entry, now time.Time) (r Row, err error) {
	failure, err := entry.EncodeFailure(e.Failure)
	if err != nil {
		return r, err
	}
	if failure, ok := failure.(string); ok {
		r.texts[colFailure] = []byte(failure)
	}
	if r.texts[colEvents], err = entry.EncodeMarks(e); err != nil {
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

// SetMembers gives the row its memberships as they are stored; nil: none.
func (r *Row) SetMembers(members []byte) { r.texts[colMembers] = members }

// Values returns the values of the columns, in the order of Names.
func (r *Row) Values() []any {
	values := make([]any, 0, len(Names))
	for _, text := range r.texts {
		values = append(values, text)
	}
	for _, n := range r.ints {
		values = append(values, n)
	}
	for _, b := range r.bools {
		values = append(values, b)
	}
	return values
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

// Scan reads Columns; before takes the columns in front of them. Members decodes memberships as they are stored.
func Scan(rows pgx.Rows, members func([]byte) ([]ledger.Membership, error), before ...any) (number int64, e *ledger.Entry, err error) {
	var texts [numTexts + owlatsync.NumContactFields]pgtype.DriverBytes
	var ints [numInts]pgtype.Int8
	e = new(ledger.Entry)
	into := append(make([]any, 0, len(before)+1+len(Names)), before...)
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
	if e.Memberships, err = members(texts[colMembers]); err != nil {
		return 0, nil, err
	}
	if err := entry.DecodeMarks(texts[colEvents], e); err != nil {
		return 0, nil, err
	}
	if text := texts[colFailure]; text != nil {
		if err := json.Unmarshal(text, &e.Failure); err != nil {
			return 0, nil, fmt.Errorf("%w (the failure of an entry cannot be read)", ledger.ErrCorrupt)
		}
	}
	e.Intent.Create, e.FirstSeen, e.ChangedAt, e.Witness = timeOf(ints[colIntent]), timeOf(ints[colFirstSeen]), timeOf(ints[colChangedAt]), timeOf(ints[colWitness])
	return number, e, nil
}

// Put puts entries under their numbers: see the function put in the migrations. Its arguments are the deployment, the syncs, the numbers
// and those of Arrays.
var Put = "SELECT @put(" + Placeholders(3+len(Names)) + ")"

// Placeholders are so many arguments of a function.
func Placeholders(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(all, ", ")
}

// Arrays returns the columns of entries, in the order of Names.
func Arrays(entries []Row) []any {
	columns := make([]any, 0, len(Names))
	for i := range numTexts + owlatsync.NumContactFields {
		column := make([][]byte, len(entries))
		for n := range entries {
			column[n] = entries[n].texts[i]
		}
		columns = append(columns, column)
	}
	for i := range numInts {
		column := make([]pgtype.Int8, len(entries))
		for n := range entries {
			column[n] = entries[n].ints[i]
		}
		columns = append(columns, column)
	}
	for i := range numBools {
		column := make([]bool, len(entries))
		for n := range entries {
			column[n] = entries[n].bools[i]
		}
		columns = append(columns, column)
	}
	return columns
}
