package source_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
)

// pick reads rows by their keys and returns the addresses in order; each call for keys gets the next of the lists.
func pick(t *testing.T, table *source.Table, keys ...[]string) []string {
	t.Helper()
	next := func(context.Context) ([]string, error) {
		if len(keys) == 0 {
			return nil, nil
		}
		first := keys[0]
		keys = keys[1:]
		return first, nil
	}
	var got []string
	for row, err := range table.Pick(t.Context(), next) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSuffix(row.Email.Value, "@example.com"))
	}
	slices.Sort(got)
	return got
}

// TestPick reads single rows by keys of every type, and by texts that are no keys.
func TestPick(t *testing.T) {
	t.Parallel()
	strange := []string{"", "007", "1 ", " 1", "1x", "x", "'", `\`, "99999999999999999999999", "-", "1/2", "\x00", "\xff", "ä", "{", "1e0", "1.0", "NULL", strings.Repeat("9", 5000)}
	eachPlace(t, func(t *testing.T, p place) {
		execute(t, p.db, "CREATE TABLE users (id int, name varchar(40), email varchar(100), v int)")
		execute(t, p.db, "INSERT INTO users VALUES (1, 'Ada/1', 'a@example.com', 5), (2, 'x', 'b@example.com', NULL), (-3, 'ä', 'c@example.com', 7), (0, 'zero', 'z@example.com', 1), (2, 'y', 'd@example.com', 8)")
		const query = "SELECT id, name, email, v FROM users; -- note"
		byNumber := p.open(t, query, cursorMapping)
		if !byNumber.Picks() {
			t.Fatal("rows cannot be read by their keys")
		}
		wantRows(t, "two numbers", pick(t, byNumber, []string{"1", "-3"}), "a", "c")
		wantRows(t, "a number that two rows have, and one more afterwards", pick(t, byNumber, []string{"2"}, []string{"1"}), "a", "b", "d")
		wantRows(t, "strange texts", pick(t, byNumber, append(slices.Clone(strange), "1")), "a")
		wantRows(t, "no keys", pick(t, byNumber))
		byName := p.open(t, query, source.Mapping{Key: []string{"name"}, Email: "email"})
		wantRows(t, "strange names", pick(t, byName, append(slices.Clone(strange), "Ada/1", "X")), "a", "b", "c")
		byBoth := p.open(t, query, source.Mapping{Key: []string{"id", "name"}, Email: "email"})
		wantRows(t, "two columns", pick(t, byBoth, append(slices.Clone(strange), owlatsync.JoinKey("1", "Ada/1"), owlatsync.JoinKey("2", "y"), "2", "2/x/3")), "a", "d")
		followed := p.follow(t, query, cursorMapping, source.Cursor{Column: "v", Step: 1})
		wantRows(t, "with a cursor", pick(t, followed, []string{"2", "0"}), "b", "d", "z")
		many := []string{"1"}
		for range 1200 {
			many = append(many, "12345")
		}
		wantRows(t, "many keys", pick(t, byNumber, many), "a")

		ours := errors.New("no more keys")
		for _, err := range byNumber.Pick(t.Context(), func(context.Context) ([]string, error) { return nil, ours }) {
			if !errors.Is(err, ours) {
				t.Errorf("the error is %v", err)
			}
		}
		for range byNumber.Pick(t.Context(), func(context.Context) ([]string, error) { return []string{"1", "2"}, nil }) {
			break // releases everything
		}
		if _, err := read(t.Context(), byNumber); err != nil {
			t.Error(err)
		}
	})
}

// TestPickByOtherTypes has keys of types of PostgreSQL to which not every text converts.
func TestPickByOtherTypes(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	execute(t, p.db, "CREATE TYPE mood AS ENUM ('fine', 'sad')")
	execute(t, p.db, "CREATE DOMAIN code AS int CHECK (VALUE < 100)")
	for _, tt := range []struct{ typ, key string }{
		{"mood", "sad"}, {"code", "17"}, {"uuid", "64b7f0c2-a1d3-4e4f-9061-728394a5b6c7"}, {"inet", "10.1.2.3"}, {"bigint", "9223372036854775807"},
		{"smallint", "-5"}, {"char(5)", "ab   "}, {"name", "me"}, {"bool", "true"},
	} {
		execute(t, p.db, "DROP TABLE IF EXISTS users")
		execute(t, p.db, "CREATE TABLE users (id "+tt.typ+", email text)")
		execute(t, p.db, "INSERT INTO users VALUES ('"+tt.key+"', 'a@example.com'), (NULL, 'b@example.com')")
		table := p.open(t, "SELECT id, email FROM users", cursorMapping)
		rows, err := read(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, tt.typ, pick(t, table, []string{rows[0].Key, "nobody", "1", "", "99999"}), "a")
	}
}

// TestPickRefuses has sources that cannot be read by key.
func TestPickRefuses(t *testing.T) {
	t.Parallel()
	fails := func(table *source.Table) error {
		for _, err := range table.Pick(t.Context(), func(context.Context) ([]string, error) { return []string{"1"}, nil }) {
			return err
		}
		return nil
	}
	file := must(source.CSV(func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("id,email\n1,a@example.com\n")), nil
	}, cursorMapping))
	if err := fails(file); file.Picks() || err == nil || !strings.Contains(err.Error(), "by their keys") {
		t.Errorf("a file was read by key: %v", err)
	}
	p := sqlitePlace(t)
	if keyless := p.open(t, "SELECT 'a@example.com' AS email", source.Mapping{Email: "email"}); keyless.Picks() || fails(keyless) == nil {
		t.Error("a query without a key was read by key")
	}
	pg := must(source.Postgres(testdb.Postgres(t), "SELECT now() AS id, 'a@example.com' AS email", cursorMapping))
	if _, ok := errors.AsType[*source.ColumnError](fails(pg)); !ok {
		t.Errorf("a key of times: %v", fails(pg))
	}
	if err := fails(p.open(t, "SELECT 1 AS id, 'x' AS mail", cursorMapping)); err == nil || !strings.Contains(err.Error(), "email") {
		t.Errorf("a missing column: %v", err)
	}
}
