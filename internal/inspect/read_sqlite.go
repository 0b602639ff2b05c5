package inspect

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

const sqliteTables = `
SELECT name, type = 'view' FROM pragma_table_list
WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`

// A hidden value of 1 marks the secret columns of virtual tables; generated columns have 2 or 3 and can be read.
const sqliteColumns = `
SELECT x.name, x.type, x."notnull" = 0 AND x.pk = 0,
       EXISTS (SELECT 1 FROM pragma_index_list(?1) i WHERE i."unique" AND NOT i.partial
               AND (SELECT count(*) FROM pragma_index_info(i.name)) = 1
               AND (SELECT name FROM pragma_index_info(i.name)) = x.name),
       EXISTS (SELECT 1 FROM pragma_index_list(?1) i WHERE NOT i.partial
               AND (SELECT name FROM pragma_index_info(i.name) WHERE seqno = 0) = x.name),
       x.pk
FROM pragma_table_xinfo(?1) AS x WHERE x.hidden <> 1 ORDER BY x.cid`

const sqliteRefs = `
SELECT t.name, f."from", f."table", f."to" FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
WHERE t.type = 'table' AND f.seq = 0 AND NOT EXISTS (
  SELECT 1 FROM pragma_foreign_key_list(t.name) o WHERE o.id = f.id AND o.seq > 0) ORDER BY t.name, f.id`

// ReadSQLite reads the catalog of an SQLite database. It only reads; the handle may be opened read-only.
func ReadSQLite(ctx context.Context, db *sql.DB, look Look) (*Catalog, error) {
	query := sqlQuery(db, false, look.limit())
	type name struct {
		table string
		view  bool
	}
	var names []name
	err := query(ctx, sqliteTables, nil, func(rs rows) error {
		var n name
		err := rs.Scan(&n.table, &n.view)
		names = append(names, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's tables: %w", err)
	}
	b := builder{look: look}
	for _, n := range names {
		err := query(ctx, sqliteColumns, []any{n.table}, func(rs rows) error {
			var c Column
			var key int
			if err := rs.Scan(&c.Name, &c.Type, &c.Nullable, &c.Unique, &c.Indexed, &key); err != nil {
				return err
			}
			c.Kind = sqliteKind(strings.ToUpper(c.Type))
			b.column("", n.table, n.view, c, key)
			return nil
		})
		// A view without its table and a virtual table of an unknown module cannot be described; others still can.
		if err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("list the database's columns: %w", ctx.Err())
		}
	}
	err = query(ctx, sqliteRefs, nil, func(rs rows) error {
		var table string
		var to sql.NullString
		var r Ref
		if err := rs.Scan(&table, &r.Column, &r.Table, &to); err != nil {
			return err
		}
		r.ToColumn = to.String
		b.ref("", table, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's foreign keys: %w", err)
	}
	return b.catalog(ctx, SQLite, query)
}

// sqliteKind follows SQLite's rule: it looks for parts of the declared type, which may be any text.
func sqliteKind(declared string) Kind {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(declared, p) {
				return true
			}
		}
		return false
	}
	switch {
	case declared == "":
		return Any
	case has("BOOL"):
		return Bool
	case has("UUID", "GUID"):
		return UUID
	case has("DATE", "TIME"):
		return Time
	case has("CHAR", "CLOB", "TEXT", "STRING", "ENUM"):
		return Text
	case has("BLOB", "BINARY"):
		return Binary
	case has("JSON"):
		return JSON
	}
	return Number
}
