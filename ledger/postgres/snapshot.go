package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/auditrow"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/historyrow"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/runrow"
	"owlatsync/ledger/postgres/internal/server"
)

// reading what the ledger holds may take as long as the reader takes.
const beginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0"

// Snapshot calls read with everything that the ledger holds as of one instant. A transaction stays open until read returns, and the
// server keeps what is deleted meanwhile.
func (a archive) Snapshot(ctx context.Context, read func(ledger.Snapshot) error) error {
	return a.read(ctx, func(deployment int64) error {
		t, err := a.db.Pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: beginSnapshot})
		if err != nil {
			return fmt.Errorf("read ledger: %w", server.Explain(ctx, err))
		}
		defer func() {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), server.EndTimeout)
			defer cancel()
			_ = t.Rollback(ending) // nothing was written
		}()
		s := &snapshot{base: a.base, ctx: ctx, tx: t, of: deployment}
		if err := s.load(); err != nil {
			return fmt.Errorf("read ledger: %w", server.Explain(ctx, err))
		}
		return read(s)
	})
}

// snapshot implements ledger.Snapshot.
type snapshot struct {
	*base
	ctx    context.Context // the context of the one call of Snapshot
	tx     pgx.Tx
	of     int64 // the deployment
	bound  string
	secret []byte
	last   int64
}

func (s *snapshot) load() error {
	rows, err := s.tx.Query(s.ctx, s.db.SQL(`SELECT bound, forget_secret, coalesce((SELECT last FROM @counters WHERE deployment = $1 AND kind = 'history'), 0)
		FROM @deployments WHERE id = $1`), s.of)
	return server.EachRow(rows, err, func(rows pgx.Rows) error { return rows.Scan(&s.bound, &s.secret, &s.last) })
}

// errEnded ends a stream whose reader wants no more.
var errEnded = errors.New("the reader wants no more")

// rowsOf streams the rows of a query.
func rowsOf[T any](s *snapshot, query string, scan func(pgx.Rows) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := s.db.Stream(s.ctx, s.tx, s.db.SQL(query), []any{s.of}, func(rows pgx.Rows) error {
			v, err := scan(rows)
			if err == nil && !yield(v, nil) {
				err = errEnded
			}
			return err
		})
		if err != nil && !errors.Is(err, errEnded) {
			yield(*new(T), fmt.Errorf("read ledger: %w", server.Explain(s.ctx, err)))
		}
	}
}

// Deployment implements ledger.Snapshot.
func (s *snapshot) Deployment() string { return s.bound }

// ForgetSecret implements ledger.Snapshot.
func (s *snapshot) ForgetSecret() []byte { return s.secret }

// LastNumber implements ledger.Snapshot.
func (s *snapshot) LastNumber() int64 { return s.last }

// Syncs implements ledger.Snapshot.
func (s *snapshot) Syncs() iter.Seq2[ledger.SyncRecord, error] {
	return rowsOf(s, "SELECT name, adopted, set_back FROM @syncs WHERE deployment = $1 ORDER BY id", func(rows pgx.Rows) (r ledger.SyncRecord, err error) {
		var setBack pgrow.Moment
		err = rows.Scan(&r.Name, &r.Adopted, &setBack)
		r.SetBack = setBack.Time
		return r, err
	})
}

// Runs implements ledger.Snapshot.
func (s *snapshot) Runs() iter.Seq2[ledger.Run, error] {
	return rowsOf(s, "SELECT "+runrow.Columns+fromRuns+"ORDER BY r.id", runrow.Scan)
}

// Entries implements ledger.Snapshot.
func (s *snapshot) Entries() iter.Seq2[ledger.Holder, error] {
	return rowsOf(s, "SELECT s.name, "+entryrow.Columns+" FROM @entries e JOIN @syncs s ON s.id = e.sync WHERE s.deployment = $1 ORDER BY e.sync, e.number",
		func(rows pgx.Rows) (h ledger.Holder, err error) {
			_, h.Entry, err = s.scanEntry(s.ctx, rows, &h.Sync)
			return h, err
		})
}

// History implements ledger.Snapshot.
func (s *snapshot) History() iter.Seq2[ledger.HistoryLine, error] {
	return rowsOf(s, historyrow.All, historyrow.Scan)
}

// OptOuts implements ledger.Snapshot.
func (s *snapshot) OptOuts() iter.Seq2[ledger.OptOut, error] {
	return rowsOf(s, "SELECT "+heard.OptOutColumns+" FROM @opt_outs WHERE deployment = $1 ORDER BY contact_id, topic", heard.ScanOptOut)
}

// Suppressions implements ledger.Snapshot.
func (s *snapshot) Suppressions() iter.Seq2[ledger.Suppression, error] {
	return rowsOf(s, "SELECT "+heard.SuppressionColumns+" FROM @suppressions WHERE deployment = $1 ORDER BY email", heard.ScanSuppression)
}

// Forgotten implements ledger.Snapshot.
func (s *snapshot) Forgotten() iter.Seq2[[]byte, error] {
	return rowsOf(s, "SELECT hash FROM @forgotten WHERE deployment = $1 ORDER BY hash", func(rows pgx.Rows) (hash []byte, err error) {
		err = rows.Scan(&hash)
		return hash, err
	})
}

// Audit implements ledger.Snapshot.
func (s *snapshot) Audit() iter.Seq2[ledger.AuditLine, error] {
	return rowsOf(s, auditrow.Select+"ORDER BY number", auditrow.Scan)
}
