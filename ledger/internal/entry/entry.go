// Package entry is how the ledger's file keeps an entry: its columns, its place among the entries that are not in step, and the mark by which
// the diff knows it. It is pure but for the reading of rows.
package entry

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// The state of an entry, as stored. All states but Applied have an index. A departed entry is Applied too: nothing is to be
// done for it.
const (
	Applied = iota
	Open
	Failing
	Parked
)

// StateOf returns the state of an entry.
func StateOf(e *ledger.Entry) int {
	switch {
	case e.Departed != "":
		return Applied
	case e.Failure != nil && e.Failure.Parked:
		return Parked
	case e.Failure != nil:
		return Failing
	case e.Doubt, e.Fingerprint.IsZero():
		return Open
	}
	return Applied
}

// Values are an entry as it is stored, but for its sync and the numbers of its topics.
type Values struct {
	args        []any
	memberships []ledger.Membership
}

// The places in args of what Bind sets.
const (
	syncAt    = 0
	membersAt = 6
)

// Bind returns the arguments of Insert and Upsert, which are valid until the next call. Number returns the number of a topic.
func (v *Values) Bind(sync int64, number func(topic string) (int64, error)) (args []any, err error) {
	v.args[syncAt] = sync
	members, err := EncodeMembers(v.memberships, number)
	if v.args[membersAt] = nil; members != nil {
		v.args[membersAt] = members
	}
	return v.args, err
}

// Encode returns the values of an entry. An entry without a time of change changed now. The values have the memberships of the entry and
// not a copy.
func Encode(e *ledger.Entry, now time.Time) (v Values, err error) {
	failure, err := EncodeFailure(e.Failure)
	if err != nil {
		return v, err
	}
	marks, err := EncodeMarks(e)
	if err != nil {
		return v, err
	}
	var events any
	if marks != nil {
		events = string(marks)
	}
	var identity any
	if e.Identity != e.Email {
		identity = e.Identity
	}
	changed := e.ChangedAt
	if changed.IsZero() {
		changed = now
	}
	args := make([]any, 0, arguments)
	args = append(args,
		nil, e.Key, TextOrNull(e.ContactID), TextOrNull(e.Email), identity, string(e.Origin),
		nil, TimeOrNull(e.Intent.Create), failure, StateOf(e), TimeOrNull(e.FirstSeen), TimeOrNull(changed), events,
		fingerprintOrNull(e), e.Doubt, TimeOrNull(e.Witness), e.Intent.Local, TextOrNull(e.Departed), TimeOrNull(e.Asked()))
	for _, text := range e.Fields {
		args = append(args, text)
	}
	return Values{args: args, memberships: e.Memberships}, nil
}

// AsKept returns the entry as it is kept if it has departed, and the entry itself otherwise.
func AsKept(e *ledger.Entry) *ledger.Entry {
	if e.Departed == "" {
		return e
	}
	c := *e
	c.Depart(c.Departed)
	return &c
}

// EncodeFailure returns the JSON of a failure, nil if there is none.
func EncodeFailure(f *ledger.Failure) (any, error) {
	if f == nil {
		return nil, nil
	}
	c := *f
	c.First, c.Last, c.NextTry = c.First.UTC(), c.Last.UTC(), c.NextTry.UTC()
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode failure: %w", err)
	}
	return string(text), nil
}

// Columns are the columns that Scan reads, of entries e.
var Columns = `e.id, e.key, e.contact_id, e.email, e.identity, e.origin,
	` + topicsColumn + `, e.members, e.memberships, e.intent, e.failure, e.first_seen, e.changed_at, e.events, e.fingerprint, e.doubt, e.witness, e.intent_local,
	e.departed` + ForEachField(", e.%[1]s")

// ForEachField writes the pattern for every field of a contact, with the name of its column.
func ForEachField(pattern string) string {
	var b strings.Builder
	for _, f := range owlatsync.ContactFields {
		fmt.Fprintf(&b, pattern, f.Column())
	}
	return b.String()
}

// Scan reads Columns; before takes the columns in front of them.
func Scan(rows *sql.Rows, before ...any) (id int64, e *ledger.Entry, err error) {
	var (
		contact, email, identity, memberships, failure, events, departed sql.NullString
		intent, firstSeen, changedAt, witness                            sql.NullInt64
		topics, members, print                                           sql.RawBytes
	)
	e = new(ledger.Entry)
	into := append(make([]any, 0, len(before)+arguments+2), before...)
	into = append(into, &id, &e.Key, &contact, &email, &identity, &e.Origin,
		&topics, &members, &memberships, &intent, &failure, &firstSeen, &changedAt, &events, &print, &e.Doubt, &witness, &e.Intent.Local, &departed)
	for i := range e.Fields {
		into = append(into, &e.Fields[i])
	}
	err = rows.Scan(into...)
	if err != nil {
		return 0, nil, err
	}
	e.ContactID, e.Email, e.Identity, e.Departed = contact.String, email.String, email.String, departed.String
	if identity.Valid {
		e.Identity = identity.String
	}
	if e.Fingerprint, err = DecodeFingerprint(print); err != nil {
		return 0, nil, err
	}
	e.Intent.Create, e.FirstSeen, e.ChangedAt, e.Witness = TimeOf(intent), TimeOf(firstSeen), TimeOf(changedAt), TimeOf(witness)
	if len(members) > 0 {
		if e.Memberships, err = DecodeMembers(members, topics); err != nil {
			return 0, nil, err
		}
	} else if memberships.Valid { // an earlier version wrote the entry
		if err := json.Unmarshal([]byte(memberships.String), &e.Memberships); err != nil {
			return 0, nil, fmt.Errorf("%w (%w)", ledger.ErrCorrupt, errMembers)
		}
	}
	if events.Valid {
		if err := DecodeMarks([]byte(events.String), e); err != nil {
			return 0, nil, err
		}
	}
	if failure.Valid {
		if err := json.Unmarshal([]byte(failure.String), &e.Failure); err != nil {
			return 0, nil, fmt.Errorf("%w (the failure of an entry cannot be read)", ledger.ErrCorrupt)
		}
	}
	return id, e, nil
}

// fingerprintSize is the length of a stored fingerprint.
const fingerprintSize = 16

func fingerprintOrNull(e *ledger.Entry) any {
	if b := EncodeFingerprint(e); b != nil {
		return b
	}
	return nil
}

// EncodeFingerprint returns the fingerprint of an entry as it is stored, nil if there is none.
func EncodeFingerprint(e *ledger.Entry) []byte {
	f := e.Fingerprint
	if e.Doubt || f.IsZero() {
		return nil
	}
	b := make([]byte, 0, fingerprintSize)
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, f.Hi), f.Lo)
}

// DecodeFingerprint is the inverse of EncodeFingerprint.
func DecodeFingerprint(b []byte) (f ledger.Fingerprint, err error) {
	switch len(b) {
	case 0:
	case fingerprintSize:
		f = ledger.Fingerprint{Hi: binary.LittleEndian.Uint64(b), Lo: binary.LittleEndian.Uint64(b[8:])}
	default:
		err = fmt.Errorf("%w (the fingerprint of an entry is cut short)", ledger.ErrCorrupt)
	}
	return f, err
}

// TextOrNull returns nil for the empty text.
func TextOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// TimeOrNull returns the time in microseconds, nil for the zero time.
func TimeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// TimeOf returns the time of a column.
func TimeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
