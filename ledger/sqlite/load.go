package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/internal/runform"
	"owlatsync/ledger/sqlite/internal/auditrow"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/heard"
)

// Load calls write to put a snapshot into the empty ledger, all or nothing. It takes the lock as a run does, and fails with a
// *ledger.LockedError while another holds it. Other writers wait until it ends.
func (a archive) Load(ctx context.Context, deployment string, write func(ledger.Loader) error) (err error) {
	k, err := a.locker.acquire(ctx, ledger.Claim{Purpose: "import into the ledger"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	return k.transact(ctx, dbfile.Durable, func(t *tx) error {
		if err := t.mustBeEmpty(deployment); err != nil {
			return err
		}
		if deployment != "" {
			if err := t.bind(deployment); err != nil {
				return err
			}
		}
		t.acts, t.closes = true, true
		return write(&loader{t: t, now: time.Now()})
	})
}

// mustBeEmpty returns ErrNotEmpty if the ledger holds anything but a tie to the same deployment.
func (t *tx) mustBeEmpty(deployment string) error {
	var n int
	err := t.Row(`SELECT (SELECT count(*) FROM syncs) + (SELECT count(*) FROM opt_outs) + (SELECT count(*) FROM forgotten)
		+ (SELECT count(*) FROM audit) + (SELECT count(*) FROM feedback) + (SELECT count(*) FROM suppressions) + (SELECT count(*) FROM heard WHERE latest IS NOT NULL)
		+ (SELECT count(*) FROM meta WHERE (name, value) <> ('deployment', ?1))`, []any{deployment}, &n)
	if err == nil && n > 0 {
		err = ledger.ErrNotEmpty
	}
	return err
}

// loader implements ledger.Loader.
type loader struct {
	t   *tx
	now time.Time
}

// contradicting marks errors that SQLite returns because of an earlier line.
func contradicting(err error) error {
	if dbfile.PrimaryCode(err) == dbfile.CodeConstraint {
		return fmt.Errorf("%w (%w)", ledger.ErrContradiction, err)
	}
	return err
}

// SetForgetSecret implements ledger.Loader.
func (l *loader) SetForgetSecret(secret []byte) error {
	if len(secret) != ledger.HashSize {
		return fmt.Errorf("a secret for forgotten addresses has %d bytes", len(secret))
	}
	return contradicting(l.t.Exec("INSERT INTO meta (name, value) VALUES (?1, ?2)", forgetSecret, hex.EncodeToString(secret)))
}

// AddSync implements ledger.Loader.
func (l *loader) AddSync(s ledger.SyncRecord) error {
	id, err := l.t.syncID(s.Name)
	if err == nil && s.Adopted {
		err = l.t.Exec("UPDATE syncs SET adopted = 1 WHERE id = ?1", id)
	}
	if err == nil && !s.SetBack.IsZero() {
		if err = l.t.Exec("UPDATE syncs SET set_back = ?2 WHERE id = ?1", id, s.SetBack.UnixMicro()); err == nil {
			err = l.t.Exec("UPDATE age SET set_back = ?1", s.SetBack.UnixMicro())
		}
	}
	return err
}

// AddRun implements ledger.Loader. It makes the epochs of later locks larger than that of the run.
func (l *loader) AddRun(r ledger.Run) error {
	sync, err := l.t.syncID(r.Sync)
	if err != nil {
		return err
	}
	r.Status = r.Status.Moved()
	args, err := runform.Encode(&r, r.Heartbeat)
	if err != nil {
		return err
	}
	if err := l.t.Exec(insertRun, append(args, r.Epoch, r.Full, r.Approves, sync, r.ID)...); err != nil {
		return contradicting(err)
	}
	return l.t.Exec("UPDATE lock SET epoch = max(epoch, ?1)", r.Epoch)
}

// AddEntry implements ledger.Loader.
func (l *loader) AddEntry(h ledger.Holder) error {
	if h.Entry == nil || h.Entry.Key == "" {
		return errors.New("an entry has no key")
	}
	sync, err := l.t.syncID(h.Sync)
	if err != nil {
		return err
	}
	values, err := entry.Encode(entry.AsKept(h.Entry), l.now)
	if err != nil {
		return err
	}
	return contradicting(l.t.putEntry(entry.Insert, sync, &values, entry.MarkOf(h.Entry)))
}

// AddHistory implements ledger.Loader.
func (l *loader) AddHistory(line ledger.HistoryLine) error {
	sync, err := l.t.syncID(line.Sync)
	if err != nil {
		return err
	}
	if line.Number > 0 {
		var later bool
		if err := l.t.Row("SELECT ?1 > coalesce((SELECT max(id) FROM history), 0)", []any{line.Number}, &later); err != nil {
			return err
		}
		if !later {
			return ledger.ErrContradiction
		}
	}
	return l.t.addLine(line.Number, sync, line.Key, line.At.UnixMicro(), line.Run, phrase{line.Event, line.Note})
}

// SetLastNumber implements ledger.Loader.
func (l *loader) SetLastNumber(n int64) error {
	return l.t.Exec(`INSERT INTO history (id, sync, key, at, run, event, note) SELECT ?1, 0, '', 0, 0, '', ''
		WHERE ?1 > coalesce((SELECT max(id) FROM history), 0)`, n)
}

// AddOptOut implements ledger.Loader.
func (l *loader) AddOptOut(o ledger.OptOut) error {
	if err := o.Check(); err != nil {
		return err
	}
	return contradicting(heard.AddOptOut(l.t.Tx, o))
}

// AddSuppression implements ledger.Loader.
func (l *loader) AddSuppression(s ledger.Suppression) error {
	if err := s.Check(); err != nil {
		return err
	}
	return contradicting(heard.AddSuppression(l.t.Tx, s))
}

// AddForgotten implements ledger.Loader.
func (l *loader) AddForgotten(hash []byte) error {
	if len(hash) != ledger.HashSize {
		return fmt.Errorf("the hash of an address has %d bytes", len(hash))
	}
	return contradicting(l.t.Exec("INSERT INTO forgotten (hash) VALUES (?1)", hash))
}

// AddAudit implements ledger.Loader.
func (l *loader) AddAudit(line ledger.AuditLine) error {
	if err := line.Check(); err != nil {
		return err
	}
	return auditrow.Load(l.t.Tx, &line)
}
