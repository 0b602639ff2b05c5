package mongo_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
	"owlatsync/source/mongo"
)

// scan returns the addresses of a scan and asks for each list of keys again.
func scan(t *testing.T, table *source.Table, s *owlatsync.Scan, keys ...[]string) []string {
	t.Helper()
	s.Again = func(context.Context) ([]string, error) {
		if len(keys) == 0 {
			return nil, nil
		}
		next := keys[0]
		keys = keys[1:]
		return next, nil
	}
	var got []string
	for row, err := range table.Scan(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(row.Email.Value, "@")
		got = append(got, name)
	}
	return got
}

func TestCursor(t *testing.T) {
	t.Parallel()
	object := must(bson.ObjectIDFromHex("64b7f0c2a1d3e4f506172839"))
	at := func(minute int) time.Time { return time.Date(2026, 11, 3, 5, minute, 0, 0, time.UTC) }
	for name, test := range map[string]struct {
		values [4]any
		cursor source.Cursor
		mark   string
	}{
		"dates":         {[4]any{at(0), at(30), at(59), nil}, source.Cursor{Column: "meta.updatedAt", Overlap: time.Minute}, "t 2026-11-03 05:59:00"},
		"whole numbers": {[4]any{int32(1), int64(50), 100.0, nil}, source.Cursor{Column: "meta.updatedAt", Step: 10}, "n 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, db := testdb.Mongo(t)
			ids := []any{object, "two", int32(3), bson.D{{Key: "shop", Value: 4}}}
			var documents []any
			for i, address := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
				documents = append(documents, bson.D{{Key: "_id", Value: ids[i]}, {Key: "email", Value: address}, {Key: "meta", Value: bson.D{{Key: "updatedAt", Value: test.values[i]}}}, {Key: "on", Value: true}})
			}
			documents = append(documents, bson.D{{Key: "_id", Value: 9}, {Key: "email", Value: "off@example.com"}, {Key: "on", Value: false}})
			c := insert(t, db, documents...)
			table := must(must(mongo.Documents(c, bson.D{{Key: "on", Value: true}}, source.Mapping{Key: []string{"_id"}, Email: "email"})).WithCursor(test.cursor))
			if err := table.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := &owlatsync.Scan{}
			if got := scan(t, table, s); !slices.Equal(got, []string{"a", "b", "c", "d"}) || s.Mark != test.mark {
				t.Errorf("all: %q with the mark %q, want %q", got, s.Mark, test.mark)
			}
			s = &owlatsync.Scan{Since: s.Mark}
			if got := scan(t, table, s); !slices.Equal(got, []string{"c", "d"}) || s.Mark != test.mark {
				t.Errorf("changed: %q with the mark %q", got, s.Mark)
			}
			s = &owlatsync.Scan{Since: s.Mark}
			if got := scan(t, table, s, []string{"64b7f0c2a1d3e4f506172839", "none"}, []string{"two"}, []string{"3", "9"}); !slices.Equal(got, []string{"c", "d", "a", "b"}) {
				t.Errorf("changed and asked for: %q", got)
			}
		})
	}
}

func TestBadCursors(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	c := insert(t, db, bson.D{{Key: "_id", Value: 1}, {Key: "email", Value: "a@example.com"}, {Key: "updatedAt", Value: time.Now()}, {Key: "name", Value: "Ada"}})
	m := source.Mapping{Key: []string{"_id"}, Email: "email"}
	for column, want := range map[string]string{"updateAt": `did you mean "updatedAt"?`, "name": "a cursor is a column of times, dates or whole numbers"} {
		err := must(must(mongo.Documents(c, nil, m)).WithCursor(source.Cursor{Column: column})).Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", column, err, want)
		}
	}
}

func TestCursorIndexed(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	var documents []any
	for i := range 10_002 {
		documents = append(documents, bson.D{{Key: "_id", Value: i}, {Key: "email", Value: "a@example.com"}, {Key: "at", Value: time.Unix(int64(i), 0)}})
	}
	c := insert(t, db, documents...)
	table := must(must(mongo.Documents(c, nil, source.Mapping{Key: []string{"_id"}, Email: "email"})).WithCursor(source.Cursor{Column: "at"}))
	if indexed, err := table.CursorIndexed(t.Context()); err != nil || indexed {
		t.Errorf("without an index: %v, %v", indexed, err)
	}
	if err := db.RunCommand(t.Context(), bson.D{{Key: "createIndexes", Value: "people"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "at", Value: 1}}}, {Key: "name", Value: "at"}}}}}).Err(); err != nil {
		t.Fatal(err)
	}
	if indexed, err := table.CursorIndexed(t.Context()); err != nil || !indexed {
		t.Errorf("with an index: %v, %v", indexed, err)
	}
}
