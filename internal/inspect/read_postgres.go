package inspect

import (
	"context"
	"fmt"

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

const postgresRefs = `
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname END, c.relname, a.attname,
       CASE WHEN pg_table_is_visible(o.oid) THEN '' ELSE m.nspname END, o.relname, b.attname
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
JOIN pg_class o ON o.oid = f.confrelid
JOIN pg_namespace m ON m.oid = o.relnamespace
JOIN pg_attribute b ON b.attrelid = o.oid AND b.attnum = f.confkey[1]
WHERE f.contype = 'f' AND cardinality(f.conkey) = 1 AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, f.conname`

// ReadPostgres reads the catalog of the connection's database: every table, view and foreign table that the user may read, without
// partitions. It changes nothing; every query runs in a read-only transaction. Nothing outlives a transaction, so that a pooler may
// stand before the server.
func ReadPostgres(ctx context.Context, conn *pgx.Conn, look Look) (*Catalog, error) {
	query := func(ctx context.Context, query string, args []any, each func(rows) error) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			// A cancelled context would cost the connection; the server's own limit costs only the transaction.
			if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", look.limit().Milliseconds())); err != nil {
				return err
			}
			for name, value := range look.Settings {
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
	b := builder{look: look}
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
	err = query(ctx, postgresRefs, nil, func(rs rows) error {
		var schema, table string
		var r Ref
		if err := rs.Scan(&schema, &table, &r.Column, &r.Schema, &r.Table, &r.ToColumn); err != nil {
			return err
		}
		b.ref(schema, table, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's foreign keys: %w", err)
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
	case "json", "jsonb":
		return JSON
	case "uuid":
		return UUID
	case "bytea":
		return Binary
	}
	return Other
}
