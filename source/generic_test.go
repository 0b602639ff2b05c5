package source_test

import (
	stdcmp "cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/source"
)

// plainDriver is a database that can do little: no read-only transactions, no isolation levels, and its own ideas of how
// to hand out values. It is its own connector, connection, statement, transaction and rows.
type plainDriver struct {
	types    []string
	rows     [][]driver.Value
	noTx     error // why it begins no transaction
	breakOff error // what happens after the last row

	asked      []driver.TxOptions
	rolledBack int
	next       int
}

func (d *plainDriver) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *plainDriver) Driver() driver.Driver                        { return nil }
func (d *plainDriver) Prepare(string) (driver.Stmt, error)          { return d, nil }
func (d *plainDriver) Close() error                                 { return nil }
func (d *plainDriver) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (d *plainDriver) NumInput() int                                { return 0 }
func (d *plainDriver) Exec([]driver.Value) (driver.Result, error)   { return nil, errors.ErrUnsupported }
func (d *plainDriver) Commit() error                                { return errors.New("nothing of a scan is to be committed") }

func (d *plainDriver) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	d.asked = append(d.asked, o)
	if d.noTx != nil {
		return nil, d.noTx
	}
	if o != (driver.TxOptions{}) {
		return nil, errors.ErrUnsupported
	}
	return d, nil
}

func (d *plainDriver) Rollback() error {
	d.rolledBack++
	return nil
}

func (d *plainDriver) Query([]driver.Value) (driver.Rows, error) {
	d.next = 0
	return d, nil
}

func (d *plainDriver) Columns() (names []string) {
	for _, t := range d.types {
		names = append(names, "c_"+t)
	}
	return names
}

func (d *plainDriver) ColumnTypeDatabaseTypeName(i int) string { return d.types[i] }

func (d *plainDriver) Next(values []driver.Value) error {
	if d.next == len(d.rows) {
		return stdcmp.Or(d.breakOff, io.EOF)
	}
	copy(values, d.rows[d.next])
	d.next++
	return nil
}

// odd is a type that no driver should hand out, and some do.
type odd int

func (o odd) String() string { return "odd" }

func TestGenericValues(t *testing.T) {
	t.Parallel()
	d := &plainDriver{
		types: []string{"TEXT", "NCHAR", "INT4", "NUMBER", "BOOL", "TIMESTAMPTZ", "DATE", "FLOAT", "UNSIGNED", "UUID", "MONEY", "INTERVAL", "DOUBLE", "DATETIME2"},
		rows: [][]driver.Value{
			{
				[]byte("a@example.com"), []byte("Ada  "), []byte("7"), []byte("12.50"), []byte("t"), time.Date(2026, 11, 3, 5, 6, 7, 0, time.FixedZone("", 7200)),
				time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC), float32(0.1), uint64(1 << 63), odd(1), "3.5", []byte("1 day"), 2.5, "2026-11-03 05:06:07.1000000",
			},
			{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
		},
	}
	m := source.Mapping{Email: "c_TEXT"}
	for _, name := range d.types {
		m.Properties = append(m.Properties, source.Property{Name: name, Column: "c_" + name})
	}
	rows, err := read(t.Context(), must(source.SQL(d.open(t), source.Generic, "SELECT all", m)))
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows and %v", len(rows), err)
	}
	values := []any{
		"a@example.com", "Ada", int64(7), 12.5, true, "2026-11-03T03:06:07Z", "2026-11-03", 0.1, json.Number("9223372036854775808"), "odd", 3.5, "1 day", 2.5,
		"2026-11-03T05:06:07.1Z",
	}
	var want, nulls []owlatsync.Property
	for i, name := range d.types {
		want = append(want, owlatsync.Property{Name: name, Value: values[i]})
		nulls = append(nulls, owlatsync.Property{Name: name})
	}
	if diff := cmp.Diff(want, rows[0].Properties); diff != "" {
		t.Errorf("row 1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(nulls, rows[1].Properties); diff != "" {
		t.Errorf("row 2 (-want +got):\n%s", diff)
	}
}

func TestGenericTimes(t *testing.T) {
	t.Parallel()
	east, west := time.FixedZone("", 13*3600), time.FixedZone("", -11*3600)
	for _, test := range []struct {
		databaseType string
		value        driver.Value
		want         string
	}{
		{"DATE", time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC), "2026-11-03"},
		{"DATE", time.Date(2026, 11, 3, 0, 0, 0, 0, east), "2026-11-03"},
		{"DATE", time.Date(2026, 11, 3, 0, 0, 0, 0, west), "2026-11-03"},
		{"DATE", time.Date(2026, 11, 3, 5, 6, 7, 0, time.UTC), "2026-11-03T05:06:07Z"},
		{"DATE", []byte("2026-11-03"), "2026-11-03"},
		{"DATE", "2026-11-03", "2026-11-03"},
		{"TIMESTAMP", time.Date(2026, 11, 3, 0, 0, 0, 0, east), "2026-11-02T11:00:00Z"},
		{"TIMESTAMPTZ", time.Date(2026, 11, 3, 0, 0, 0, 0, west), "2026-11-03T11:00:00Z"},
		{"DATETIME", "2026-11-03 00:00:00", "2026-11-03T00:00:00Z"},
		{"TIMESTAMP WITH TIME ZONE", "2026-11-03 00:00:00+13", "2026-11-02T11:00:00Z"},
		{"TEXT", time.Date(2026, 11, 3, 0, 0, 0, 0, east), "2026-11-02T11:00:00Z"},
	} {
		d := &plainDriver{types: []string{test.databaseType}, rows: [][]driver.Value{{test.value}}}
		name := "c_" + test.databaseType
		rows, err := read(t.Context(), must(source.SQL(d.open(t), source.Generic, "SELECT all", source.Mapping{
			Key: []string{name}, Email: name, Properties: []source.Property{{Name: "p", Column: name}},
		})))
		if err != nil || len(rows) != 1 || rows[0].Key != test.want || rows[0].Properties[0].Value != test.want {
			t.Errorf("%s %v: %+v and %v, want %s", test.databaseType, test.value, rows, err, test.want)
		}
	}
}

// TestGenericFlags reads booleans in every form in which a driver may hand them out.
func TestGenericFlags(t *testing.T) {
	t.Parallel()
	yes := []driver.Value{
		true, int64(1), uint64(1), 1.0, float32(1), []byte("t"), []byte("TRUE"), []byte("yes"), []byte("Yes "), []byte("on"), []byte("y"), []byte("1"),
		[]byte("1.0"), []byte{1}, "t", "true", "YES", "on", "1", "\x01",
	}
	no := []driver.Value{
		nil, false, int64(0), uint64(0), 0.0, float32(0), []byte("f"), []byte("False"), []byte("no"), []byte("off"), []byte("N"), []byte("0"), []byte("0.00"), []byte{0}, []byte(""),
		"f", "false", "No", "off", "0", "", " ", "\x00",
	}
	bad := []driver.Value{
		int64(-1), uint64(7), 0.5, float32(1.5), []byte("2"), []byte("-1"), []byte("1.1"), []byte("maybe"), []byte{2}, []byte("yes\x00"), "maybe", "ye\u017f", []byte("NaN"), time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC),
	}
	bits := map[string][]driver.Value{ // and only as bits
		"yes": {[]byte{0, 1}, []byte{0, 0, 0, 0, 0, 0, 0, 1}, []byte("1"), "1", true, int64(1)},
		"no":  {[]byte{0, 0}, []byte("0"), "0", false, int64(0), []byte{}},
		"bad": {[]byte{0, 2}, []byte{128, 0, 0, 0, 0, 0, 0, 0}, int64(4), []byte("101"), make([]byte, 9)},
	}
	for _, test := range []struct {
		databaseType string
		values       []driver.Value
		yes, ok      bool
	}{
		{"BOOL", yes, true, true}, {"BOOLEAN", no, false, true}, {"BOOL", bad, false, false},
		{"TEXT", slices.DeleteFunc(slices.Clone(yes), func(v driver.Value) bool {
			b, bytes := v.([]byte)
			return bytes && strings.ContainsAny(string(b), "2-.")
		}), true, true},
		{"TEXT", slices.DeleteFunc(slices.Clone(no), func(v driver.Value) bool { b, bytes := v.([]byte); return bytes && strings.Contains(string(b), ".") }), false, true}, {"TEXT", bad, false, false},
		{"BIT", bits["yes"], true, true}, {"BIT", bits["no"], false, true}, {"BIT", bits["bad"], false, false},
	} {
		for _, value := range test.values {
			want := owlatsync.ConsentOf(test.yes)
			if !test.ok {
				want = owlatsync.Unclear
			}
			d := &plainDriver{types: []string{test.databaseType, "VARCHAR"}, rows: [][]driver.Value{{value, "a@example.com"}}}
			rows, err := read(t.Context(), must(source.SQL(d.open(t), source.Generic, "SELECT all", source.Mapping{Email: "c_VARCHAR", Topics: []string{"c_" + test.databaseType}})))
			if err != nil || len(rows) != 1 || rows[0].Defect != "" || rows[0].Consents[0] != want {
				t.Errorf("%s %T %q: %+v and %v, want %v, understood: %v", test.databaseType, value, fmt.Sprint(value), rows, err, test.yes, test.ok)
			}
		}
	}
}

// open opens the driver as a database.
func (d *plainDriver) open(t *testing.T) *sql.DB {
	db := sql.OpenDB(d)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestGenericTransactions(t *testing.T) {
	t.Parallel()
	lost := errors.New("the line is down")
	for name, test := range map[string]struct {
		driver     *plainDriver
		rolledBack int
		want       error
		says       []string
	}{
		"no read-only transactions": {&plainDriver{}, 1, nil, nil},
		"no transactions":           {&plainDriver{noTx: lost}, 0, lost, []string{"begin a transaction"}},
		"lost after a row":          {&plainDriver{breakOff: lost}, 1, lost, []string{"read beyond row 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := test.driver
			d.types, d.rows = []string{"TEXT"}, [][]driver.Value{{"a@example.com"}}
			rows, err := read(t.Context(), must(source.SQL(d.open(t), source.Generic, "SELECT 1", source.Mapping{Email: "c_TEXT"})))
			if !errors.Is(err, test.want) || test.want == nil && (err != nil || len(rows) != 1) {
				t.Errorf("%d rows and %v, want %v", len(rows), err, test.want)
			} else if err != nil {
				says(t, err, test.says...)
			}
			if !d.asked[0].ReadOnly {
				t.Errorf("the first transaction asked for is %+v, want a read-only one", d.asked[0])
			}
			if d.rolledBack != test.rolledBack {
				t.Errorf("rolled back %d times, want %d", d.rolledBack, test.rolledBack)
			}
		})
	}
}

// Rows are read ahead of whoever takes them; that shows neither in what comes before an error nor in what a scan leaves behind.
func TestRowsAreReadAhead(t *testing.T) {
	t.Parallel()
	lost := errors.New("the line is down")
	for _, n := range []int{0, 1, 1023, 1024, 1025, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			d := &plainDriver{types: []string{"TEXT"}}
			for i := range n {
				d.rows = append(d.rows, []driver.Value{fmt.Sprintf("user%d@example.com", i)})
			}
			table := must(source.SQL(d.open(t), source.Generic, "SELECT 1", source.Mapping{Email: "c_TEXT"}))
			whole := func(want error) {
				rows, err := read(t.Context(), table)
				if !errors.Is(err, want) || len(rows) != n {
					t.Fatalf("%d rows and %v, want %d and %v", len(rows), err, n, want)
				}
				for i, row := range rows {
					if row.Email.Value != d.rows[i][0] || row.Position.Number != i+1 {
						t.Fatalf("%s is %q, want row %d, %q", row.Position, row.Email.Value, i+1, d.rows[i][0])
					}
				}
				if want != nil && n > 0 {
					says(t, err, fmt.Sprintf("read beyond row %d", n))
				}
			}
			whole(nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, stop := range []func(){func() {}, cancel} {
				taken := 0
				for _, err := range table.Rows(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					if taken++; taken == 1000 {
						stop()
						break
					}
				}
				if taken != min(n, 1000) || d.next > taken+4*1024 {
					t.Errorf("%d rows taken and %d read", taken, d.next)
				}
			}
			d.breakOff = lost
			whole(lost)
			if d.rolledBack != len(d.asked)-refusals(d.asked) {
				t.Errorf("%d of %d transactions rolled back", d.rolledBack, len(d.asked)-refusals(d.asked))
			}
		})
	}
}

// refusals counts the transactions that a plainDriver does not begin.
func refusals(asked []driver.TxOptions) (n int) {
	for _, o := range asked {
		if o != (driver.TxOptions{}) {
			n++
		}
	}
	return n
}
