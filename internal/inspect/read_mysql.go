package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

const mysqlColumns = `
SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE = 'YES'
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`

// The server would open every table again for every column if it were asked for all at once.
const mysqlViews = `SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()`

const mysqlIndexes = `
SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE = 0, SEQ_IN_INDEX, COLUMN_NAME
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`

const mysqlRefs = `
SELECT TABLE_NAME, MIN(COLUMN_NAME), MIN(REFERENCED_TABLE_NAME), MIN(REFERENCED_COLUMN_NAME)
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE()
GROUP BY TABLE_NAME, CONSTRAINT_NAME HAVING count(*) = 1 ORDER BY TABLE_NAME, CONSTRAINT_NAME`

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
		if err := rs.Scan(&table, &c.Name, &c.Type, &base, &c.Nullable); err != nil {
			return err
		}
		c.Kind = mysqlKind(strings.ToLower(base), strings.ToLower(c.Type))
		b.column("", table, false, c, 0)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's columns: %w", err)
	}
	err = query(ctx, mysqlViews, nil, func(rs rows) error {
		var name string
		if err := rs.Scan(&name); err != nil {
			return err
		}
		if t := b.table("", name); t != nil {
			t.View = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's views: %w", err)
	}
	var index mysqlIndex
	err = query(ctx, mysqlIndexes, nil, func(rs rows) error {
		var table, name string
		var column sql.NullString // an expression has none
		var unique bool
		var at int
		if err := rs.Scan(&table, &name, &unique, &at, &column); err != nil {
			return err
		}
		if table != index.table || name != index.name {
			index.close(&b)
			index = mysqlIndex{table: table, name: name, unique: unique}
		}
		index.columns = append(index.columns, column.String)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the database's indexes: %w", err)
	}
	index.close(&b)
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

// mysqlIndex is an index whose columns come one after the other.
type mysqlIndex struct {
	table, name string
	unique      bool
	columns     []string
}

// close notes on the table what the index says of its columns.
func (x mysqlIndex) close(b *builder) {
	t := b.table("", x.table)
	if t == nil || len(x.columns) == 0 {
		return
	}
	if x.name == "PRIMARY" {
		t.Key = x.columns
	}
	if c := t.Column(x.columns[0]); c != nil {
		c.Indexed = true
		c.Unique = c.Unique || x.unique && len(x.columns) == 1
	}
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
