package mongo_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
	"owlatsync/source/mongo"
)

// TestPick reads single documents by keys of every type, and by texts that are no keys.
func TestPick(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	object := must(bson.ObjectIDFromHex("64b7f0c2a1d3e4f506172839"))
	var documents []any
	for i, id := range []any{object, "two", int32(3), bson.D{{Key: "shop", Value: 4}}, "4"} {
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "email", Value: string(rune('a'+i)) + "@example.com"}, {Key: "on", Value: true}, {Key: "part", Value: i}})
	}
	documents = append(documents, bson.D{{Key: "_id", Value: 9}, {Key: "email", Value: "off@example.com"}, {Key: "on", Value: false}})
	must(db.Collection("users").InsertMany(t.Context(), documents))
	pick := func(m source.Mapping, keys ...[]string) []string {
		t.Helper()
		table := must(mongo.Documents(db.Collection("users"), bson.D{{Key: "on", Value: true}}, m))
		if !table.Picks() {
			t.Fatal("documents cannot be read by their keys")
		}
		var got []string
		for row, err := range table.Pick(t.Context(), func(context.Context) ([]string, error) {
			if len(keys) == 0 {
				return nil, nil
			}
			next := keys[0]
			keys = keys[1:]
			return next, nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(row.Email.Value, "@")
			got = append(got, name)
		}
		slices.Sort(got)
		return got
	}
	byID := source.Mapping{Key: []string{"_id"}, Email: "email"}
	for _, tt := range []struct {
		m    source.Mapping
		keys [][]string
		want string
	}{
		{byID, [][]string{{object.Hex(), "two"}}, "a b"},
		{byID, [][]string{{"3"}, {"4", "9"}}, "c e"},
		{byID, [][]string{{"", "3.0", "\x00", "\xff", "{", `{"shop":5}`, "nobody", "$where"}}, ""},
		{byID, nil, ""},
		{source.Mapping{Key: []string{"part", "email"}, Email: "email"}, [][]string{{owlatsync.JoinKey("1", "b@example.com"), "1", "1/2/3"}}, "b"},
		{source.Mapping{Key: []string{"part", "email"}, Email: "email"}, [][]string{{"1"}}, ""},
	} {
		if got := strings.Join(pick(tt.m, tt.keys...), " "); got != tt.want {
			t.Errorf("the keys %q of %v gave %q, want %q", tt.keys, tt.m.Key, got, tt.want)
		}
	}
}

// TestWatch changes documents under the eyes of a watch.
func TestWatch(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	users := db.Collection("users")
	table := must(must(mongo.Documents(users, bson.D{{Key: "on", Value: true}}, source.Mapping{Key: []string{"_id"}, Email: "email"})).
		WithCursor(source.Cursor{Column: "meta.v", Step: 10}))
	put := func(id, v int, on bool) {
		t.Helper()
		must(users.ReplaceOne(t.Context(), bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "_id", Value: id}, {Key: "email", Value: "a@example.com"},
			{Key: "on", Value: on}, {Key: "meta", Value: bson.D{{Key: "v", Value: v}}}}, options.Replace().SetUpsert(true)))
	}
	w := must(table.Watch())
	for _, step := range []struct {
		what string
		do   func()
		want bool
	}{
		{"a document", func() { put(1, 100, true) }, true},
		{"nothing", func() {}, false},
		{"a late commit", func() { put(2, 95, true) }, true},
		{"long before the overlap", func() { put(3, 5, true) }, false},
		{"beside the filter", func() { put(4, 200, false) }, false},
		{"a change", func() { put(1, 101, true) }, true},
		{"nothing more", func() {}, false},
	} {
		step.do()
		if moved, err := w.Moved(t.Context()); err != nil || moved != step.want {
			t.Errorf("%s: moved %v, want %v: %v", step.what, moved, step.want, err)
		}
	}
}
