package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

const mysqlColumns = `
SELECT c.TABLE_NAME, t.TABLE_TYPE LIKE '%VIEW%', c.COLUMN_NAME, c.COLUMN_TYPE, c.DATA_TYPE, c.IS_NULLABLE = 'YES',
       EXISTS (SELECT 1 FROM information_schema.STATISTICS u WHERE u.TABLE_SCHEMA = c.TABLE_SCHEMA AND u.TABLE_NAME = c.TABLE_NAME
               AND u.COLUMN_NAME = c.COLUMN_NAME AND u.NON_UNIQUE = 0 AND NOT EXISTS (
                 SELECT 1 FROM information_schema.STATISTICS o WHERE o.TABLE_SCHEMA = u.TABLE_SCHEMA AND o.TABLE_NAME = u.TABLE_NAME
                 AND o.INDEX_NAME = u.INDEX_NAME AND o.SEQ_IN_INDEX > 1)),
       EXISTS (SELECT 1 FROM information_schema.STATISTICS i WHERE i.TABLE_SCHEMA = c.TABLE_SCHEMA AND i.TABLE_NAME = c.TABLE_NAME
               AND i.COLUMN_NAME = c.COLUMN_NAME AND i.SEQ_IN_INDEX = 1),
       COALESCE(k.ORDINAL_POSITION, 0)
FROM information_schema.COLUMNS c
JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
LEFT JOIN information_schema.KEY_COLUMN_USAGE k ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
  AND k.COLUMN_NAME = c.COLUMN_NAME AND k.CONSTRAINT_NAME = 'PRIMARY'
WHERE c.TABLE_SCHEMA = DATABASE()
ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`

const mysqlRefs = `
SELECT k.TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE k
WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_SCHEMA = DATABASE() AND k.ORDINAL_POSITION = 1
  AND NOT EXISTS (SELECT 1 FROM information_schema.KEY_COLUMN_USAGE o WHERE o.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA
                  AND o.TABLE_NAME = k.TABLE_NAME AND o.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND o.ORDINAL_POSITION > 1)
ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME`

// ErrNoDatabase means that the connection has no database selected.
var ErrNoDatabase = errors.New("the DSN names no database: add it at the end, as in mysql://user@host:3306/shop")

// ReadMySQL reads the catalog of the handle's database in MySQL or MariaDB. It changes nothing; every query runs in a read-only
// transaction.
func ReadMySQL(ctx context.Context, db *sql.DB, look Look) (*Catalog, error) {
	query := sqlQuery(db, true, look.limit())
	var name sql.NullString
	if err := query(ctx, "SELECT DATABASE()", nil, func(rs rows) error { return rs.Scan(&name) }); err != nil {
		return nil, fmt.Errorf("ask for the database's name: %w", err)
	}
	if !name.Valid {
		return nil, ErrNoDatabase
	}
	b := builder{look: look}
	err := query(ctx, mysqlColumns, nil, func(rs rows) error {
		var table, base string
		var c Column
		var view bool
		var key int
		if err := rs.Scan(&table, &view, &c.Name, &c.Type, &base, &c.Nullable, &c.Unique, &c.Indexed, &key); err != nil {
			return err
		}
		c.Kind = mysqlKind(strings.ToLower(base), strings.ToLower(c.Type))
		b.column("", table, view, c, key)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's columns: %w", err)
	}
	err = query(ctx, mysqlRefs, nil, func(rs rows) error {
		var table string
		var r Ref
		if err := rs.Scan(&table, &r.Column, &r.Table, &r.ToColumn); err != nil {
			return err
		}
		b.ref("", table, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's foreign keys: %w", err)
	}
	return b.catalog(ctx, MySQL, query)
}

func mysqlKind(base, full string) Kind {
	switch base {
	case "tinyint":
		if strings.HasPrefix(full, "tinyint(1)") {
			return Bool
		}
		return Number
	case "bit":
		if full == "bit(1)" {
			return Bool
		}
		return Other
	case "smallint", "mediumint", "int", "bigint", "decimal", "float", "double":
		return Number
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum":
		return Text
	case "datetime", "timestamp", "date":
		return Time
	case "json":
		return JSON
	case "uuid":
		return UUID
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return Binary
	}
	return Other
}
