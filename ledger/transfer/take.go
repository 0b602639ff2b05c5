package transfer

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"owlatsync"
	"owlatsync/ledger"
)

// taker passes the lines of an export to a ledger.
type taker struct {
	ledger.Loader
	version int
}

func (t taker) take(l line) error {
	switch {
	case l.Sync != nil:
		return t.sync(l.Sync)
	case l.Run != nil:
		return t.run(l.Run)
	case l.Entry != nil:
		return t.entry(l.Entry)
	case l.History != nil:
		return t.history(l.History)
	case l.OptOut != nil:
		return t.optOut(l.OptOut)
	}
	hash, err := decodeHash(l.Forgotten)
	if err != nil {
		return fmt.Errorf("%w (a hash cannot be read)", ErrDamagedExport)
	}
	return t.AddForgotten(hash)
}

func decodeHash(text string) ([]byte, error) {
	hash, err := hex.DecodeString(text)
	if err == nil && len(hash) != ledger.HashSize {
		err = errors.New("its length is another")
	}
	return hash, err
}

// named returns an error for a line without the name of its sync.
func named(sync ledger.Text) error {
	if sync == "" {
		return fmt.Errorf("%w (a sync has no name)", ErrDamagedExport)
	}
	return nil
}

func (t taker) sync(s *syncLine) error {
	if err := named(s.Name); err != nil {
		return err
	}
	return t.AddSync(ledger.SyncRecord{Name: string(s.Name), Adopted: s.Adopted})
}

func (t taker) run(r *runLine) error {
	if err := named(r.Sync); err != nil {
		return err
	}
	return t.AddRun(ledger.Run{
		ID: r.ID, Sync: string(r.Sync), Mode: r.Mode, Epoch: r.Epoch, Owner: r.Owner, Started: r.Started, Heartbeat: r.Heartbeat,
		Finished: r.Finished, Stage: r.Stage, Status: r.Status, Message: string(r.Message),
		Part: owlatsync.Part{Only: as[string](r.Only), Limit: r.Limit}, Report: r.Report, Summary: r.Summary, Guards: r.Guards,
	})
}

func (t taker) entry(x *entryLine) error {
	if err := named(x.Sync); err != nil {
		return err
	}
	fields, known := x.Fields.texts()
	if !known {
		return fmt.Errorf("%w (an entry has a field that no contact has)", ErrDamagedExport)
	}
	if t.version == 1 {
		fields[owlatsync.FirstName], fields[owlatsync.LastName] = string(x.FirstName), string(x.LastName)
	}
	e := &ledger.Entry{
		Key: string(x.Key), ContactID: string(x.ContactID), Email: string(x.Email), Identity: string(x.Identity),
		Fields: fields, Origin: x.Origin, Doubt: x.Doubt, Memberships: x.Memberships,
		Intent: ledger.Intent{Create: x.Create, Local: !x.Create.IsZero() && !x.CreateOwlat}, Events: x.Events, Failure: x.Failure, FirstSeen: x.FirstSeen, ChangedAt: x.ChangedAt,
		Witness: x.Witness,
	}
	if x.Fingerprint != "" {
		print, err := hex.DecodeString(x.Fingerprint)
		if err != nil || len(print) != 16 {
			return fmt.Errorf("%w (a fingerprint cannot be read)", ErrDamagedExport)
		}
		e.Fingerprint = ledger.Fingerprint{Hi: binary.BigEndian.Uint64(print), Lo: binary.BigEndian.Uint64(print[8:])}
	}
	if t.version == 1 {
		modernise(e)
	}
	switch {
	case e.Key == "":
		return fmt.Errorf("%w (an entry has no key)", ErrDamagedExport)
	case e.Doubt && !e.Fingerprint.IsZero():
		return fmt.Errorf("%w (an entry in doubt has a fingerprint)", ErrDamagedExport)
	}
	return t.AddEntry(ledger.Holder{Sync: string(x.Sync), Entry: e})
}

// modernise turns the marks of version 1 into fields.
func modernise(e *ledger.Entry) {
	if e.Fingerprint == doubtful {
		e.Fingerprint, e.Doubt = ledger.Fingerprint{}, true
	}
	if f := e.Failure; f != nil && f.Fingerprint == ofAbsence {
		f.Fingerprint, f.Absence = ledger.Fingerprint{}, true
	}
}

func (t taker) history(h *historyLine) error {
	if err := named(h.Sync); err != nil {
		return err
	}
	return t.AddHistory(ledger.HistoryLine{
		Number: h.Number, Sync: string(h.Sync), Key: string(h.Key), At: h.At, Run: h.Run, Event: string(h.Event), Note: string(h.Note),
	})
}

func (t taker) optOut(o *optOutLine) error {
	if o.ContactID == "" || o.Topic == "" || o.At.IsZero() {
		return fmt.Errorf("%w (an opt-out names no contact, no topic or no time)", ErrDamagedExport)
	}
	return t.AddOptOut(ledger.OptOut{ContactID: string(o.ContactID), Topic: string(o.Topic), At: o.At})
}
