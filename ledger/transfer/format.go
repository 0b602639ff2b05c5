package transfer

import (
	"errors"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// version is the version of the format that Export writes, and the latest that Import reads. Version 1 marks doubts and failures of
// absences by fingerprints that no row has, and says of a run only how it ended. Version 2 knows less about entries, version 3 nothing
// of suppressions, version 4 nothing of audit lines, version 5 nothing of suppressions of contacts and for the user's own word, version 6
// nothing of marks of fields, nor of rows that were exported for Owlat's importer.
const version = 7

// The marks of version 1 that look like fingerprints.
var (
	doubtful  = ledger.Fingerprint{Hi: 2}
	ofAbsence = ledger.Fingerprint{Hi: 1}
)

// maxLine is the longest line of an export, in bytes. It keeps Import from reading a file that is no export into memory.
const maxLine = 16 << 20

// Why an export is not imported.
var (
	ErrNotExport     = errors.New("this is no export of a ledger: give a file that `owlat-sync ledger export` wrote")
	ErrNewerExport   = errors.New("the export was written by a newer owlat-sync: use that version or a later one")
	ErrDamagedExport = errors.New("the export is damaged or cut short and nothing was imported: take another copy, or export again")
)

// line is a line of an export. Exactly one of its fields is set.
type line struct {
	Ledger      *headLine        `json:"ledger,omitempty"` // the first line
	Sync        *syncLine        `json:"sync,omitempty"`
	Run         *runLine         `json:"run,omitempty"`
	Entry       *entryLine       `json:"entry,omitempty"`
	History     *historyLine     `json:"history,omitempty"`
	OptOut      *optOutLine      `json:"opt_out,omitempty"`
	Suppression *suppressionLine `json:"suppression,omitempty"`
	Forgotten   string           `json:"forgotten,omitempty"` // a hash in hexadecimal
	Audit       *auditLine       `json:"audit,omitempty"`
	End         *endLine         `json:"end,omitempty"` // the last line
}

type headLine struct {
	Version      int       `json:"version"`
	Deployment   string    `json:"deployment,omitempty"`
	Time         time.Time `json:"time"`
	ForgetSecret string    `json:"forget_secret,omitempty"` // in hexadecimal
	LastNumber   int64     `json:"last_number,omitempty"`   // of a line of history, even if it is gone
}

type syncLine struct {
	Name    ledger.Text `json:"name"`
	Adopted bool        `json:"adopted,omitempty"`
}

type runLine struct {
	ID        int64              `json:"id"`
	Sync      ledger.Text        `json:"sync"`
	Mode      ledger.Mode        `json:"mode"`
	Epoch     int64              `json:"epoch,omitempty"`
	Owner     ledger.Owner       `json:"owner,omitzero"`
	Started   time.Time          `json:"started,omitzero"`
	Heartbeat time.Time          `json:"heartbeat,omitzero"`
	Finished  time.Time          `json:"finished,omitzero"`
	Stage     ledger.Stage       `json:"stage,omitempty"`
	Status    ledger.Status      `json:"status"`
	Message   ledger.Text        `json:"message,omitempty"`
	Only      []ledger.Text      `json:"only,omitempty"`
	Limit     int                `json:"limit,omitempty"`
	Report    *owlatsync.Report  `json:"report,omitempty"`
	Summary   *owlatsync.Summary `json:"summary,omitempty"`
	Guards    []owlatsync.Hit    `json:"guards,omitempty"`
	Full      bool               `json:"full,omitempty"`
	Approves  int64              `json:"approves,omitempty"`
}

type entryLine struct {
	Sync        ledger.Text         `json:"sync"`
	Key         ledger.Text         `json:"key"`
	ContactID   ledger.Text         `json:"contact,omitempty"`
	Email       ledger.Text         `json:"email,omitempty"`
	Identity    ledger.Text         `json:"identity,omitempty"`
	Fields      fieldTexts          `json:"fields,omitempty"`     // by the names of their columns
	FirstName   ledger.Text         `json:"first_name,omitempty"` // only in version 1
	LastName    ledger.Text         `json:"last_name,omitempty"`  // only in version 1
	Origin      ledger.Origin       `json:"origin,omitempty"`
	Fingerprint string              `json:"fingerprint,omitempty"` // Hi and Lo in hexadecimal, 16 digits each
	Doubt       bool                `json:"doubt,omitempty"`
	Memberships []ledger.Membership `json:"memberships,omitempty"`
	Create      time.Time           `json:"create,omitzero"`
	CreateOwlat bool                `json:"create_owlat,omitempty"` // Create is on Owlat's clock
	Events      []ledger.EventMark  `json:"events,omitempty"`
	FieldMarks  []ledger.FieldMark  `json:"field_marks,omitempty"`
	Failure     *ledger.Failure     `json:"failure,omitempty"`
	Departed    ledger.Text         `json:"departed,omitempty"`
	FirstSeen   time.Time           `json:"first_seen,omitzero"`
	ChangedAt   time.Time           `json:"changed,omitzero"`
	Witness     time.Time           `json:"witness,omitzero"`
}

// fieldTexts has the fields of a contact that are not empty, by the names of their columns.
type fieldTexts map[string]ledger.Text

func fieldsOf(texts owlatsync.Texts) fieldTexts {
	fields := make(fieldTexts)
	for _, f := range owlatsync.ContactFields {
		if texts[f] != "" {
			fields[f.Column()] = ledger.Text(texts[f])
		}
	}
	return fields
}

// texts returns the fields; ok is false if a field is unknown.
func (fields fieldTexts) texts() (texts owlatsync.Texts, ok bool) {
	known := 0
	for _, f := range owlatsync.ContactFields {
		text, has := fields[f.Column()]
		if has {
			known++
		}
		texts[f] = string(text)
	}
	return texts, known == len(fields)
}

type historyLine struct {
	Number int64       `json:"number,omitempty"`
	Sync   ledger.Text `json:"sync"`
	Key    ledger.Text `json:"key"`
	At     time.Time   `json:"at"`
	Run    int64       `json:"run,omitempty"`
	Event  ledger.Text `json:"event"`
	Note   ledger.Text `json:"note,omitempty"`
}

type optOutLine struct {
	ContactID ledger.Text `json:"contact"`
	Topic     ledger.Text `json:"topic"`
	At        time.Time   `json:"at"`
	Written   time.Time   `json:"written,omitzero"`
	Since     time.Time   `json:"since,omitzero"`
}

type suppressionLine struct {
	Email  ledger.Text              `json:"email"`
	Reason ledger.SuppressionReason `json:"reason"`
	At     time.Time                `json:"at"`
	Sent   time.Time                `json:"sent,omitzero"`
	Told   time.Time                `json:"told,omitzero"`
}

type auditLine struct {
	Number int64       `json:"number,omitempty"`
	At     time.Time   `json:"at"`
	Who    ledger.Text `json:"who"`
	Way    ledger.Way  `json:"by"`
	What   ledger.Deed `json:"what"`
	Sync   ledger.Text `json:"sync,omitempty"`
	Run    int64       `json:"run,omitempty"`
	Count  int         `json:"count,omitempty"`
}

type endLine struct {
	Lines  int    `json:"lines"`  // before this one
	SHA256 string `json:"sha256"` // of those lines, each with its newline
}
