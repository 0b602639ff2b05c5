package sqlite

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// The state of an entry, as stored. All states but stateApplied have an index. A departed entry is stateApplied too: nothing is to be
// done for it.
const (
	stateApplied = iota
	stateOpen
	stateFailing
	stateParked
)

func stateOf(e *ledger.Entry) int {
	switch {
	case e.Departed != "":
		return stateApplied
	case e.Failure != nil && e.Failure.Parked:
		return stateParked
	case e.Failure != nil:
		return stateFailing
	case e.Doubt, e.Fingerprint.IsZero():
		return stateOpen
	}
	return stateApplied
}

// step is a record that its caller has encoded, so that the writer only writes.
type step struct {
	sync, key string
	replaces  string
	entry     []any // the arguments of upsertEntry; the first is set by putEntry
	mark      [markSize]byte
	run       int64
	at        int64
	event     string
	note      string
}

func encodeRecords(records []ledger.Record, now time.Time) ([]step, error) {
	steps := make([]step, len(records))
	for i, r := range records {
		if r.Entry == nil {
			return nil, errors.New("a record has no entry")
		}
		if r.Sync == "" || r.Entry.Key == "" {
			return nil, errors.New("a record names no sync or no key")
		}
		if r.Replaces == r.Entry.Key {
			return nil, errors.New("a record replaces itself")
		}
		args, err := encodeEntry(departed(r.Entry), now)
		if err != nil {
			return nil, err
		}
		steps[i] = step{
			sync: r.Sync, key: r.Entry.Key, replaces: r.Replaces, entry: args,
			mark: encodeMark(r.Entry), run: r.Run, at: now.UnixMicro(), event: r.Event, note: r.Note,
		}
	}
	return steps, nil
}

func encodeEntry(e *ledger.Entry, now time.Time) ([]any, error) {
	var memberships any
	if len(e.Memberships) > 0 {
		ms := slices.Clone(e.Memberships)
		for i := range ms {
			ms[i].At, ms[i].Renewed, ms[i].Sent = ms[i].At.UTC(), ms[i].Renewed.UTC(), ms[i].Sent.UTC()
			ms[i].Pending = ms[i].Pending.UTC()
		}
		text, err := json.Marshal(ms)
		if err != nil {
			return nil, fmt.Errorf("encode memberships: %w", err)
		}
		memberships = string(text)
	}
	failure, err := encodeFailure(e.Failure)
	if err != nil {
		return nil, err
	}
	var events any
	if len(e.Events) > 0 {
		marks := slices.Clone(e.Events)
		for i := range marks {
			marks[i].At = marks[i].At.UTC()
		}
		text, err := json.Marshal(marks)
		if err != nil {
			return nil, fmt.Errorf("encode events: %w", err)
		}
		events = string(text)
	}
	var identity any
	if e.Identity != e.Email {
		identity = e.Identity
	}
	changed := e.ChangedAt
	if changed.IsZero() {
		changed = now
	}
	args := make([]any, 0, entryArguments)
	args = append(args,
		nil, e.Key, textOrNull(e.ContactID), textOrNull(e.Email), identity, string(e.Origin),
		memberships, timeOrNull(e.Intent.Create), failure, stateOf(e), timeOrNull(e.FirstSeen), timeOrNull(changed), events,
		fingerprintOrNull(e), e.Doubt, timeOrNull(e.Witness), e.Intent.Local, textOrNull(e.Departed), timeOrNull(e.Asked()))
	for _, text := range e.Fields {
		args = append(args, text)
	}
	return args, nil
}

// departed returns the entry as it is kept if it has departed, and the entry itself otherwise.
func departed(e *ledger.Entry) *ledger.Entry {
	if e.Departed == "" {
		return e
	}
	c := *e
	c.Depart(c.Departed)
	return &c
}

func encodeFailure(f *ledger.Failure) (any, error) {
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

// entryColumns are the columns that scanEntry reads, of entries e.
var entryColumns = `e.id, e.key, e.contact_id, e.email, e.identity, e.origin,
	e.memberships, e.intent, e.failure, e.first_seen, e.changed_at, e.events, e.fingerprint, e.doubt, e.witness, e.intent_local,
	e.departed` + forEachField(", e.%[1]s")

// forEachField writes the pattern for every field of a contact, with the name of its column.
func forEachField(pattern string) string {
	var b strings.Builder
	for _, f := range owlatsync.ContactFields {
		fmt.Fprintf(&b, pattern, f.Column())
	}
	return b.String()
}

// scanEntry reads entryColumns; before takes the columns in front of them.
func scanEntry(rows *sql.Rows, before ...any) (id int64, e *ledger.Entry, err error) {
	var (
		contact, email, identity, memberships, failure, events, departed sql.NullString
		intent, firstSeen, changedAt, witness                            sql.NullInt64
		print                                                            sql.RawBytes
	)
	e = new(ledger.Entry)
	into := append(make([]any, 0, len(before)+entryArguments+1), before...)
	into = append(into, &id, &e.Key, &contact, &email, &identity, &e.Origin,
		&memberships, &intent, &failure, &firstSeen, &changedAt, &events, &print, &e.Doubt, &witness, &e.Intent.Local, &departed)
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
	switch len(print) {
	case 0:
	case fingerprintSize:
		e.Fingerprint = ledger.Fingerprint{Hi: binary.LittleEndian.Uint64(print), Lo: binary.LittleEndian.Uint64(print[8:])}
	default:
		return 0, nil, fmt.Errorf("%w (the fingerprint of an entry is cut short)", ledger.ErrCorrupt)
	}
	e.Intent.Create, e.FirstSeen, e.ChangedAt, e.Witness = timeOf(intent), timeOf(firstSeen), timeOf(changedAt), timeOf(witness)
	if memberships.Valid {
		if err := json.Unmarshal([]byte(memberships.String), &e.Memberships); err != nil {
			return 0, nil, fmt.Errorf("%w (the memberships of an entry cannot be read)", ledger.ErrCorrupt)
		}
	}
	if events.Valid {
		if err := json.Unmarshal([]byte(events.String), &e.Events); err != nil {
			return 0, nil, fmt.Errorf("%w (the events of an entry cannot be read)", ledger.ErrCorrupt)
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
	f := e.Fingerprint
	if e.Doubt || f.IsZero() {
		return nil
	}
	b := make([]byte, 0, fingerprintSize)
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, f.Hi), f.Lo)
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
