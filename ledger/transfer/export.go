package transfer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"owlatsync/ledger"
)

// Snapshotter is what Export needs from a ledger.
type Snapshotter interface {
	// Snapshot shows the ledger as of one instant, as in ledger.Store.
	Snapshot(ctx context.Context, read func(ledger.Snapshot) error) error
}

// Export writes the ledger as of one instant as lines of JSON: its version and deployment, its syncs, runs, entries, history,
// opt-outs, suppressions, forgotten persons and audit lines, and a checksum at the end. It leaves out plans, bookmarks, feedback and deliveries: what
// waits to be delivered must be delivered first. The ledger may be used meanwhile.
// The export holds the personal data of everybody in the ledger, and the secret that hashes forgotten addresses: keep it as safe as
// the ledger. Memory does not grow with the ledger if its snapshot streams.
func Export(ctx context.Context, from Snapshotter, w io.Writer) error {
	err := from.Snapshot(ctx, func(s ledger.Snapshot) error {
		x := &exporter{snapshot: s, out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New()}
		for _, write := range []func() error{x.head, x.syncs, x.runs, x.entries, x.history, x.optOuts, x.suppressions, x.forgotten, x.audit, x.end} {
			if err := write(); err != nil {
				return err
			}
		}
		return x.out.Flush()
	})
	if err != nil {
		return fmt.Errorf("export ledger: %w", err)
	}
	return nil
}

// exporter writes one export.
type exporter struct {
	snapshot ledger.Snapshot
	out      *bufio.Writer
	sum      hash.Hash
	lines    int
}

func (x *exporter) write(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if b = append(b, '\n'); len(b) > maxLine {
		return fmt.Errorf("an entry needs a line of %d bytes, of which no import reads more than %d", len(b), maxLine)
	}
	x.sum.Write(b)
	x.lines++
	_, err = x.out.Write(b)
	return err
}

// each writes a line for every value.
func each[T any](x *exporter, values iter.Seq2[T, error], lineOf func(T) line) error {
	for v, err := range values {
		if err == nil {
			err = x.write(lineOf(v))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) head() error {
	return x.write(line{Ledger: &headLine{
		Version: version, Deployment: x.snapshot.Deployment(), Time: time.Now().UTC(),
		ForgetSecret: hex.EncodeToString(x.snapshot.ForgetSecret()), LastNumber: x.snapshot.LastNumber(),
	}})
}

func (x *exporter) syncs() error {
	return each(x, x.snapshot.Syncs(), func(s ledger.SyncRecord) line { return line{Sync: &syncLine{ledger.Text(s.Name), s.Adopted}} })
}

func (x *exporter) runs() error {
	return each(x, x.snapshot.Runs(), func(r ledger.Run) line {
		return line{Run: &runLine{
			ID: r.ID, Sync: ledger.Text(r.Sync), Mode: r.Mode, Epoch: r.Epoch, Owner: r.Owner, Started: r.Started, Heartbeat: r.Heartbeat,
			Finished: r.Finished, Stage: r.Stage, Status: r.Status, Message: ledger.Text(r.Message), Only: as[ledger.Text](r.Part.Only),
			Limit: r.Part.Limit, Report: r.Report, Summary: r.Summary, Guards: r.Guards, Full: r.Full, Approves: r.Approves,
		}}
	})
}

func (x *exporter) entries() error {
	return each(x, x.snapshot.Entries(), func(h ledger.Holder) line {
		e := h.Entry
		l := &entryLine{
			Sync: ledger.Text(h.Sync), Key: ledger.Text(e.Key), ContactID: ledger.Text(e.ContactID), Email: ledger.Text(e.Email),
			Identity: ledger.Text(e.Identity), Fields: fieldsOf(e.Fields), Origin: e.Origin,
			Doubt: e.Doubt, Departed: ledger.Text(e.Departed), Memberships: e.Memberships, Create: e.Intent.Create,
			CreateOwlat: !e.Intent.Create.IsZero() && !e.Intent.Local, Events: e.Events, FieldMarks: e.FieldMarks, Failure: e.Failure,
			FirstSeen: e.FirstSeen, ChangedAt: e.ChangedAt, Witness: e.Witness,
		}
		if !e.Fingerprint.IsZero() {
			l.Fingerprint = fmt.Sprintf("%016x%016x", e.Fingerprint.Hi, e.Fingerprint.Lo)
		}
		return line{Entry: l}
	})
}

func (x *exporter) history() error {
	return each(x, x.snapshot.History(), func(h ledger.HistoryLine) line {
		return line{History: &historyLine{
			Number: h.Number, Sync: ledger.Text(h.Sync), Key: ledger.Text(h.Key), At: h.At, Run: h.Run, Event: ledger.Text(h.Event), Note: ledger.Text(h.Note),
		}}
	})
}

func (x *exporter) optOuts() error {
	return each(x, x.snapshot.OptOuts(), func(o ledger.OptOut) line {
		return line{OptOut: &optOutLine{ledger.Text(o.ContactID), ledger.Text(o.Topic), o.At, o.Written, o.Since}}
	})
}

func (x *exporter) suppressions() error {
	return each(x, x.snapshot.Suppressions(), func(s ledger.Suppression) line {
		return line{Suppression: &suppressionLine{ledger.Text(s.Email), s.Reason, s.At, s.Sent, s.Told}}
	})
}

func (x *exporter) forgotten() error {
	return each(x, x.snapshot.Forgotten(), func(hash []byte) line { return line{Forgotten: hex.EncodeToString(hash)} })
}

func (x *exporter) audit() error {
	return each(x, x.snapshot.Audit(), func(l ledger.AuditLine) line {
		return line{Audit: &auditLine{l.Number, l.At, ledger.Text(l.Who), l.Way, l.What, ledger.Text(l.Sync), l.Run, l.Count}}
	})
}

func (x *exporter) end() error {
	return x.write(line{End: &endLine{Lines: x.lines, SHA256: hex.EncodeToString(x.sum.Sum(nil))}})
}

// as converts texts to another type.
func as[To, From ~string](texts []From) (all []To) {
	for _, t := range texts {
		all = append(all, To(t))
	}
	return all
}
