package transfer

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// taker passes the lines of an export to a ledger.
type taker struct {
	ledger.Loader
	version int
	now     time.Time
	syncs   map[ledger.Text]bool // those that are set back
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
	case l.Suppression != nil:
		return t.suppression(l.Suppression)
	case l.Audit != nil:
		return t.audit(l.Audit)
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

// named sets the sync of a line back when a line first names it, because nothing tells what runs have done since the export.
func (t taker) named(sync ledger.Text) error {
	switch {
	case sync == "":
		return fmt.Errorf("%w (a sync has no name)", ErrDamagedExport)
	case t.syncs[sync]:
		return nil
	}
	t.syncs[sync] = true
	return t.AddSync(ledger.SyncRecord{Name: string(sync), SetBack: t.now})
}

func (t taker) sync(s *syncLine) error {
	if err := t.named(s.Name); err != nil {
		return err
	}
	return t.AddSync(ledger.SyncRecord{Name: string(s.Name), Adopted: s.Adopted})
}

func (t taker) run(r *runLine) error {
	if err := t.named(r.Sync); err != nil {
		return err
	}
	return t.AddRun(ledger.Run{
		ID: r.ID, Sync: string(r.Sync), Mode: r.Mode, Epoch: r.Epoch, Owner: r.Owner, Started: r.Started, Heartbeat: r.Heartbeat,
		Finished: r.Finished, Stage: r.Stage, Status: r.Status, Message: string(r.Message),
		Part: owlatsync.Part{Only: as[string](r.Only), Limit: r.Limit}, Report: r.Report, Summary: r.Summary, Guards: r.Guards,
		Full: r.Full, Approves: r.Approves,
	})
}

func (t taker) entry(x *entryLine) error {
	if err := t.named(x.Sync); err != nil {
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
		Fields: fields, Origin: x.Origin, Doubt: x.Doubt, Departed: string(x.Departed), Memberships: x.Memberships,
		Intent: ledger.Intent{Create: x.Create, Local: !x.Create.IsZero() && !x.CreateOwlat}, Events: x.Events, FieldMarks: x.FieldMarks, Failure: x.Failure, FirstSeen: x.FirstSeen, ChangedAt: x.ChangedAt,
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
	case e.Departed != "" && (e.Doubt || e.Failure != nil || !e.Fingerprint.IsZero()):
		return fmt.Errorf("%w (an entry whose row left the source is not done with)", ErrDamagedExport)
	}
	ledger.SetBack(e)
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
	if err := t.named(h.Sync); err != nil {
		return err
	}
	return t.AddHistory(ledger.HistoryLine{
		Number: h.Number, Sync: string(h.Sync), Key: string(h.Key), At: h.At, Run: h.Run, Event: string(h.Event), Note: string(h.Note),
	})
}

func (t taker) optOut(o *optOutLine) error {
	left := ledger.OptOut{ContactID: string(o.ContactID), Topic: string(o.Topic), At: o.At, Written: o.Written, Since: o.Since}
	if err := left.Check(); err != nil {
		return fmt.Errorf("%w (%w)", ErrDamagedExport, err)
	}
	return t.AddOptOut(left)
}

func (t taker) suppression(s *suppressionLine) error {
	suppressed := ledger.Suppression{Email: string(s.Email), Reason: s.Reason, At: s.At, Sent: s.Sent, Told: s.Told}
	if err := suppressed.Check(); err != nil {
		return fmt.Errorf("%w (%w)", ErrDamagedExport, err)
	}
	return t.AddSuppression(suppressed)
}

func (t taker) audit(a *auditLine) error {
	line := ledger.AuditLine{
		Number: a.Number, At: a.At, Who: string(a.Who), Way: a.Way, What: a.What, Sync: string(a.Sync), Run: a.Run, Count: a.Count,
	}
	if err := line.Check(); err != nil {
		return fmt.Errorf("%w (%w)", ErrDamagedExport, err)
	}
	return t.AddAudit(line)
}
