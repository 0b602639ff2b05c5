package server

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"owlatsync/ledger"
)

// The migrations are numbered in their order, and only add: a program that knows fewer goes on beside one that knows more. A later one
// raises works_with of the schema when that ends.
//
//go:embed migrations/*.sql
var embedded embed.FS

// versionTable keeps which migrations were made.
const versionTable = "ledger_version"

// ErrOutdated says that the schema is not up to date and that the user may not change it.
var ErrOutdated = errors.New("the schema of the ledger is missing or older than this program, and this user may not change that: run \"owlat-sync ledger migrate\" as its owner")

// Prepare makes sure that the server can be relied on and that the schema is one that this program works with.
func (d *DB) Prepare(ctx context.Context) error {
	if err := d.Check(ctx); err != nil {
		return err
	}
	is, err := d.version(ctx)
	if err != nil {
		return err
	}
	known := len(steps)
	switch {
	case is > known:
		if err := d.worksWith(ctx, is); err != nil {
			return err
		}
		d.Log.Info("a newer version has brought the ledger up to date, and this program still works with it", "version", is, "known", known)
	case is < known && d.ReadOnly:
		return ErrOutdated
	case is < known:
		_, _, err := d.Migrate(ctx)
		return err
	}
	return nil
}

// worksWith returns ledger.ErrNewer if this program cannot work with a schema of that version.
func (d *DB) worksWith(ctx context.Context, version int) error {
	if version <= len(steps) {
		return nil
	}
	var works int
	if err := d.Pool.QueryRow(ctx, d.SQL("SELECT works_with FROM @schema")).Scan(&works); err != nil {
		return err
	}
	if works > len(steps) {
		return ledger.ErrNewer
	}
	return nil
}

// Check refuses a server that cannot keep what it acknowledges.
func (d *DB) Check(ctx context.Context) error {
	var commit string
	var standby bool
	if err := d.Pool.QueryRow(ctx, "SELECT current_setting('synchronous_commit'), pg_is_in_recovery()").Scan(&commit, &standby); err != nil {
		return err
	}
	switch {
	case commit == "off":
		return errors.New("synchronous_commit is off for this user or database, so a crash of the server would lose what it has acknowledged, and people who opted out could be put back: turn it on")
	case standby && !d.ReadOnly:
		return &worded{isStandby, ledger.ErrReadOnly, nil}
	}
	return nil
}

// version returns the version of the schema, 0 if there is none.
func (d *DB) version(ctx context.Context) (is int, err error) {
	var there bool
	if err := d.Pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", d.Schema+"."+versionTable).Scan(&there); err != nil || !there {
		return 0, err
	}
	err = d.Pool.QueryRow(ctx, d.SQL("SELECT coalesce(max(version), 0) FROM @"+versionTable)).Scan(&is)
	return is, err
}

// migrationLock is the number of the lock that one migration has at a time: "OwlS" in ASCII.
const migrationLock = 0x4f776c53

// Migrations tells the migrations that are missing, River's first, as Migrate makes them. It waits while others migrate, and changes nothing.
func (d *DB) Migrations(ctx context.Context) (m ledger.Migrations, err error) {
	err = migrator{d}.alone(ctx, func(pgx.Tx) error {
		m, err = d.missing(ctx)
		return err
	})
	return m, err
}

func (d *DB) missing(ctx context.Context) (m ledger.Migrations, err error) {
	m.Newest = len(steps)
	if m.Version, err = d.version(ctx); err != nil {
		return m, err
	}
	river, err := d.river()
	if err != nil {
		return m, err
	}
	made, err := river.ExistingVersions(ctx)
	if err != nil {
		return m, fmt.Errorf("see which migrations of River were made: %w", err)
	}
	for _, one := range river.AllVersions() {
		if !slices.ContainsFunc(made, func(is rivermigrate.Migration) bool { return is.Version == one.Version }) {
			m.Missing = append(m.Missing, ledger.Migration{Of: "river", Version: one.Version, Name: one.Name})
		}
	}
	for i := m.Version; i < len(steps); i++ {
		m.Missing = append(m.Missing, ledger.Migration{Of: "ledger", Version: i + 1, Name: steps[i].name})
	}
	return m, nil
}

// Migrate makes the missing migrations and returns the versions of the schema before and after. Without any it needs no right to change the
// schema. ErrOutdated says that the user has no such right.
func (d *DB) Migrate(ctx context.Context) (from, to int, err error) {
	m, err := d.Migrations(ctx)
	if err != nil || len(m.Missing) == 0 {
		return m.Version, m.Version, err
	}
	from, to, err = migrator{d}.migrate(ctx)
	if StateOf(err) == StateDenied {
		err = fmt.Errorf("%w (%w)", ErrOutdated, err)
	}
	return from, to, err
}

// Newest is the version of the schema that this program knows.
func Newest() int { return len(steps) }

// migrator brings the schema of a database up to date.
type migrator struct{ *DB }

// migrate makes the missing migrations of River, and then those of the ledger, all or none: a schema that looks up to date is so as a whole,
// wherever a process before was killed.
func (d migrator) migrate(ctx context.Context) (from, to int, err error) {
	ctx = Unhurried(ctx)
	for _, step := range []func(pgx.Tx) error{
		func(t pgx.Tx) error { return d.createSchema(ctx, t) },
		func(pgx.Tx) error { return d.migrateRiver(ctx) },
		func(t pgx.Tx) (err error) { from, err = d.migrateLedger(ctx, t); return err },
	} {
		if err := d.alone(ctx, step); err != nil {
			return 0, 0, err
		}
	}
	return from, max(from, len(steps)), nil
}

// migrateLedger makes the missing migrations of the ledger and returns the version before.
func (d migrator) migrateLedger(ctx context.Context, t pgx.Tx) (from int, err error) {
	if from, err = d.version(ctx); err != nil { // another may have made them meanwhile
		return 0, err
	}
	for i := from; i < len(steps); i++ {
		if _, err := t.Exec(ctx, d.SQL(steps[i].sql)); err != nil {
			return 0, fmt.Errorf("migration %d: %w", i+1, err)
		}
		if _, err := t.Exec(ctx, d.SQL("INSERT INTO @"+versionTable+" (version, made) VALUES ($1, now())"), i+1); err != nil {
			return 0, err
		}
	}
	return from, nil
}

// migratesAgain is how often is asked whether another process still migrates.
const migratesAgain = 100 * time.Millisecond

// alone runs fn while no other process migrates, in a transaction. The lock ends with it, so a PgBouncer may stand between. Whoever waits has
// no connection meanwhile: a migration needs two, and of those that PgBouncer has, many who wait would leave it one.
func (d migrator) alone(ctx context.Context, fn func(pgx.Tx) error) error {
	for {
		mine, err := d.tryAlone(ctx, fn)
		if mine || err != nil {
			return err
		}
		timer := time.NewTimer(migratesAgain/2 + rand.N(migratesAgain))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// tryAlone is alone unless another process migrates; mine is false if one does.
func (d migrator) tryAlone(ctx context.Context, fn func(pgx.Tx) error) (mine bool, err error) {
	t, err := d.Pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = 0"})
	if err != nil {
		return false, err
	}
	if err = t.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1, hashtext($2))", migrationLock, d.Schema).Scan(&mine); err == nil && mine {
		err = fn(t)
	}
	if err != nil || !mine {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
		defer cancel()
		_ = t.Rollback(ending) // the error before tells more
		return mine, err
	}
	return true, t.Commit(ctx)
}

// createSchema creates the schema if it is not there: that needs no right if it is.
func (d migrator) createSchema(ctx context.Context, t pgx.Tx) error {
	var there bool
	err := t.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", d.Schema).Scan(&there)
	if err == nil && !there {
		_, err = t.Exec(ctx, "CREATE SCHEMA "+d.Schema)
	}
	if err == nil {
		_, err = t.Exec(ctx, d.SQL("CREATE TABLE IF NOT EXISTS @"+versionTable+" (version BIGINT PRIMARY KEY, made TIMESTAMPTZ NOT NULL)"))
	}
	return err
}

// migrateRiver brings River's tables up to date. A program that needs newer ones has a migration of the ledger, too, which may be empty.
func (d migrator) migrateRiver(ctx context.Context) error {
	m, err := d.river()
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the tables of River: %w", err)
	}
	return nil
}

// river returns what migrates River's tables.
func (d *DB) river() (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(d.Pool), &rivermigrate.Config{Schema: d.Schema, Logger: slog.New(slog.DiscardHandler)})
}

// step is a migration of the ledger.
type step struct{ name, sql string }

// steps are the migrations in their order.
var steps = readSteps(embedded)

func readSteps(files fs.FS) (steps []step) {
	names, err := fs.Glob(files, "migrations/*.sql")
	for i, name := range names {
		var b []byte
		number, what, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(name, "migrations/"), ".sql"), "_")
		if err == nil {
			var n int
			if n, err = strconv.Atoi(number); err == nil && n != i+1 {
				err = fmt.Errorf("migration %s is not the next", name)
			}
		}
		if err == nil {
			b, err = fs.ReadFile(files, name)
		}
		if err != nil {
			panic(err) // the program was built of broken files
		}
		steps = append(steps, step{strings.ReplaceAll(what, "_", " "), string(b)})
	}
	return steps
}
