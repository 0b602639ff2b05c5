package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const postgresColumns = `
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname END AS schema, c.relname, c.relkind IN ('v', 'm'),
       a.attname, format_type(a.atttypid, a.atttypmod),
       CASE WHEN base.typtype = 'e' THEN 'enum' WHEN base.typcategory = 'A' THEN 'array' ELSE base.typname END,
       NOT (a.attnotnull OR t.typnotnull),
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
               AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum),
       COALESCE(array_position(pk.conkey, a.attnum), 0)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type base ON base.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
LEFT JOIN pg_constraint pk ON pk.conrelid = c.oid AND pk.contype = 'p'
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY n.nspname, c.relname, a.attnum`

// ReadPostgres reads the catalog of the connection's database: every table, view and foreign table that the user may read, without
// partitions. It changes nothing; every query runs in a read-only transaction, with the given settings of the server. Nothing
// outlives a transaction, so that a pooler may stand before the server.
func ReadPostgres(ctx context.Context, conn *pgx.Conn, settings map[string]string) (*Catalog, error) {
	return readPostgres(ctx, conn, settings, queryTimeout)
}

func readPostgres(ctx context.Context, conn *pgx.Conn, settings map[string]string, limit time.Duration) (*Catalog, error) {
	query := func(ctx context.Context, query string, args []any, each func(rows) error) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			// A cancelled context would cost the connection; the server's own limit costs only the transaction.
			if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", limit.Milliseconds())); err != nil {
				return err
			}
			for name, value := range settings {
				if _, err := tx.Exec(ctx, "SELECT set_config($1, $2, true)", pgx.QueryExecModeExec, name, value); err != nil {
					return fmt.Errorf("make the setting %q of the DSN: %w", name, err)
				}
			}
			rs, err := tx.Query(ctx, query, append([]any{pgx.QueryExecModeExec}, args...)...)
			if err != nil {
				return err
			}
			defer rs.Close()
			return drain(rs, each)
		})
	}
	var b builder
	err := query(ctx, postgresColumns, nil, func(rs rows) error {
		var schema, table, base string
		var c Column
		var view bool
		var key int
		if err := rs.Scan(&schema, &table, &view, &c.Name, &c.Type, &base, &c.Nullable, &c.Unique, &c.Indexed, &key); err != nil {
			return err
		}
		c.Kind = postgresKind(base)
		b.column(schema, table, view, c, key)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's columns: %w", err)
	}
	return b.catalog(ctx, Postgres, query)
}

func postgresKind(base string) Kind {
	switch base {
	case "text", "varchar", "bpchar", "char", "name", "citext", "enum":
		return Text
	case "int2", "int4", "int8", "numeric", "float4", "float8", "oid":
		return Number
	case "bool":
		return Bool
	case "timestamp", "timestamptz", "date":
		return Time
	case "uuid":
		return UUID
	case "bytea":
		return Binary
	}
	return Other
}
