package sqlrows

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// Typed is a driver's rows that tell the types of their columns.
type Typed interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
}

// Query runs a query without arguments past database/sql, whose locks and conversions cost a sixth of reading the rows. The scan
// holds the connection, so nothing else uses it meanwhile. The rows are nil if the driver cannot do this.
func Query(ctx context.Context, conn *sql.Conn, query string) (rows Typed, err error) {
	err = conn.Raw(func(c any) error {
		queryer, ok := c.(driver.QueryerContext)
		if !ok {
			return nil
		}
		found, err := queryer.QueryContext(ctx, query, nil)
		if err != nil {
			if errors.Is(err, driver.ErrSkip) {
				return nil
			}
			return err
		}
		if rows, ok = found.(Typed); !ok {
			return found.Close()
		}
		return nil
	})
	return rows, err
}

// scannedRows are the rows of database/sql in the form of a driver's.
type scannedRows struct {
	*sql.Rows
	types   []*sql.ColumnType
	values  []scanned
	targets []any
}

// scanned takes a value as it is; bytes stay the driver's and are valid until the next row.
type scanned struct{ value driver.Value }

func (s *scanned) Scan(src any) error {
	s.value = src
	return nil
}

// Scan returns the rows of database/sql in the form that Query returns.
func Scan(rows *sql.Rows) (Typed, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	r := &scannedRows{Rows: rows, types: types, values: make([]scanned, len(types)), targets: make([]any, len(types))}
	for i := range r.values {
		r.targets[i] = &r.values[i]
	}
	return r, nil
}

func (r *scannedRows) Columns() []string {
	names := make([]string, len(r.types))
	for i, t := range r.types {
		names[i] = t.Name()
	}
	return names
}

func (r *scannedRows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i].DatabaseTypeName() }

func (r *scannedRows) Next(dest []driver.Value) error {
	if !r.Rows.Next() {
		if err := r.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	if err := r.Scan(r.targets...); err != nil {
		return err
	}
	for i := range dest {
		dest[i] = r.values[i].value
	}
	return nil
}
