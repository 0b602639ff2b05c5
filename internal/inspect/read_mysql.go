package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
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

// ErrNoDatabase means that the connection has no database selected.
var ErrNoDatabase = errors.New("the DSN names no database: add it at the end, as in mysql://user@host:3306/shop")

// ReadMySQL reads the catalog of the handle's database in MySQL or MariaDB. It changes nothing; every query runs in a read-only
// transaction.
func ReadMySQL(ctx context.Context, db *sql.DB) (*Catalog, error) {
	return readMySQL(ctx, db, queryTimeout)
}

func readMySQL(ctx context.Context, db *sql.DB, limit time.Duration) (*Catalog, error) {
	query := sqlQuery(db, true, limit)
	var name sql.NullString
	if err := query(ctx, "SELECT DATABASE()", nil, func(rs rows) error { return rs.Scan(&name) }); err != nil {
		return nil, fmt.Errorf("ask for the database's name: %w", err)
	}
	if !name.Valid {
		return nil, ErrNoDatabase
	}
	var b builder
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
	case "uuid":
		return UUID
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return Binary
	}
	return Other
}
