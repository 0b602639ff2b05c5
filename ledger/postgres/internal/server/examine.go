package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
)

// Examine tells whether the ledger of a deployment is there. It changes nothing.
func (d *DB) Examine(ctx context.Context, name string) (is ledger.Condition, err error) {
	if err := d.Check(ctx); err != nil {
		return is, err
	}
	version, err := d.version(ctx)
	if err != nil {
		return is, err
	}
	if version < len(steps) {
		is.Missing, is.Outdated = version == 0, version > 0
		if d.ReadOnly {
			return is, nil
		}
		return is, d.mayMigrate(ctx)
	}
	if err := d.worksWith(ctx, version); err != nil {
		return is, err
	}
	is.Newer = version > len(steps)
	if err := d.mayWrite(ctx); err != nil {
		return is, err
	}
	var bound []byte
	err = d.Pool.QueryRow(ctx, d.SQL("SELECT bound FROM @deployments WHERE name = $1"), name).Scan(&bound)
	if errors.Is(err, pgx.ErrNoRows) {
		is.Missing, err = true, nil
	}
	is.Deployment = string(bound)
	return is, err
}

// mayMigrate returns ErrOutdated if the user may not create tables in the schema, or the schema itself.
func (d *DB) mayMigrate(ctx context.Context) error {
	var may bool
	err := d.Pool.QueryRow(ctx, `SELECT CASE WHEN to_regnamespace($1) IS NULL THEN has_database_privilege(current_database(), 'CREATE')
		ELSE has_schema_privilege(to_regnamespace($1), 'CREATE') END`, d.Schema).Scan(&may)
	if err == nil && !may {
		err = ErrOutdated
	}
	return err
}

// mayWrite returns an error if the user may not write to the tables of the schema.
func (d *DB) mayWrite(ctx context.Context) error {
	if d.ReadOnly {
		return nil
	}
	var may bool
	var user string
	err := d.Pool.QueryRow(ctx, `SELECT current_user, bool_and(has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
		AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
		FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p')`, d.Schema).Scan(&user, &may)
	if err == nil && !may {
		err = fmt.Errorf("the user %s may not write to all tables of the schema %s: let its owner grant SELECT, INSERT, UPDATE and DELETE on them", user, d.Schema)
	}
	return err
}
