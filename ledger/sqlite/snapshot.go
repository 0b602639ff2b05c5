package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/auditrow"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/heard"
)

// Snapshot calls read with everything that the ledger holds as of one instant. A read transaction stays open until read returns,
// and the file's log grows meanwhile.
func (a archive) Snapshot(ctx context.Context, read func(ledger.Snapshot) error) (err error) {
	tx, err := a.f.Streams.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read ledger: %w", dbfile.Explain(ctx, err))
	}
	defer func() {
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	s := &snapshot{ctx: ctx, tx: tx}
	if err := s.load(); err != nil {
		return fmt.Errorf("read ledger: %w", dbfile.Explain(ctx, err))
	}
	return read(s)
}

// snapshot implements ledger.Snapshot.
type snapshot struct {
	ctx        context.Context // the context of the one call of Snapshot
	tx         *sql.Tx
	deployment string
	secret     []byte
	last       int64
}

func (s *snapshot) load() error {
	var secret sql.NullString
	err := s.tx.QueryRowContext(s.ctx, `SELECT coalesce((SELECT value FROM meta WHERE name = 'deployment'), ''),
		(SELECT value FROM meta WHERE name = ?1), coalesce((SELECT max(id) FROM history), 0)`, forgetSecret).
		Scan(&s.deployment, &secret, &s.last)
	if err == nil && secret.Valid {
		s.secret, err = decodeSecret(secret.String)
	}
	return err
}

// rowsOf streams the rows of a query.
func rowsOf[T any](s *snapshot, query string, scan func(*sql.Rows) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		fail := func(err error) { yield(*new(T), fmt.Errorf("read ledger: %w", dbfile.Explain(s.ctx, err))) }
		rows, err := s.tx.QueryContext(s.ctx, query)
		if err != nil {
			fail(err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				fail(err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			fail(err)
		}
	}
}

// Deployment implements ledger.Snapshot.
func (s *snapshot) Deployment() string { return s.deployment }

// ForgetSecret implements ledger.Snapshot.
func (s *snapshot) ForgetSecret() []byte { return s.secret }

// LastNumber implements ledger.Snapshot.
func (s *snapshot) LastNumber() int64 { return s.last }

// Syncs implements ledger.Snapshot.
func (s *snapshot) Syncs() iter.Seq2[ledger.SyncRecord, error] {
	return rowsOf(s, "SELECT name, adopted, set_back FROM syncs ORDER BY id", func(rows *sql.Rows) (r ledger.SyncRecord, err error) {
		var setBack sql.NullInt64
		err = rows.Scan(&r.Name, &r.Adopted, &setBack)
		r.SetBack = entry.TimeOf(setBack)
		return r, err
	})
}

// Runs implements ledger.Snapshot.
func (s *snapshot) Runs() iter.Seq2[ledger.Run, error] {
	return rowsOf(s, "SELECT "+runColumns+fromRuns+"ORDER BY r.id", scanRun)
}

// Entries implements ledger.Snapshot.
func (s *snapshot) Entries() iter.Seq2[ledger.Holder, error] {
	return rowsOf(s, "SELECT s.name, "+entry.Columns+" FROM entries e JOIN syncs s ON s.id = e.sync ORDER BY e.id",
		func(rows *sql.Rows) (h ledger.Holder, err error) {
			_, h.Entry, err = entry.Scan(rows, &h.Sync)
			return h, err
		})
}

// History implements ledger.Snapshot.
func (s *snapshot) History() iter.Seq2[ledger.HistoryLine, error] {
	return rowsOf(s, "SELECT "+historyColumns+fromHistory+"ORDER BY h.id", scanLine)
}

// OptOuts implements ledger.Snapshot.
func (s *snapshot) OptOuts() iter.Seq2[ledger.OptOut, error] {
	return rowsOf(s, "SELECT "+heard.OptOutColumns+" FROM opt_outs ORDER BY contact_id, topic", heard.ScanOptOut)
}

// Suppressions implements ledger.Snapshot.
func (s *snapshot) Suppressions() iter.Seq2[ledger.Suppression, error] {
	return rowsOf(s, "SELECT "+heard.SuppressionColumns+" FROM suppressions ORDER BY email", heard.ScanSuppression)
}

// Forgotten implements ledger.Snapshot.
func (s *snapshot) Forgotten() iter.Seq2[[]byte, error] {
	return rowsOf(s, "SELECT hash FROM forgotten ORDER BY hash", func(rows *sql.Rows) (hash []byte, err error) {
		err = rows.Scan(&hash)
		return hash, err
	})
}

// Audit implements ledger.Snapshot.
func (s *snapshot) Audit() iter.Seq2[ledger.AuditLine, error] {
	return rowsOf(s, "SELECT "+auditrow.Columns+" FROM audit ORDER BY id", auditrow.Scan)
}
