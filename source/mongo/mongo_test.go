package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
	"owlatsync/source/mongo"
)

func insert(t *testing.T, db *driver.Database, documents ...any) *driver.Collection {
	t.Helper()
	c := db.Collection("people")
	if _, err := c.InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	return c
}

// read returns the rows of a table as texts: key, address, first name, consents and properties, or the defect.
func read(t *testing.T, table *source.Table) (rows []string, err error) {
	t.Helper()
	for row, err := range table.Rows(t.Context()) {
		if err != nil {
			return rows, err
		}
		text := fmt.Sprintf("%s %s %s", row.Key, row.Email.Value, row.Fields[owlatsync.FirstName].Value)
		for i, c := range row.Consents {
			text += fmt.Sprintf(" topic%d=%v", i, c == owlatsync.Yes)
		}
		for _, p := range row.Properties {
			text += fmt.Sprintf(" %s=%v", p.Name, p.Value)
		}
		if row.Defect != "" {
			text += " defect: " + row.Defect
		}
		rows = append(rows, text)
	}
	return rows, nil
}

func wantRows(t *testing.T, table *source.Table, want ...string) {
	t.Helper()
	got, err := read(t, table)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("rows\n  %s\nand %v, want\n  %s", strings.Join(got, "\n  "), err, strings.Join(want, "\n  "))
	}
}

// The columns are paths, into documents and by position into lists.
func TestPaths(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	c := insert(t, db,
		bson.D{{Key: "_id", Value: 1}, {Key: "name", Value: bson.D{{Key: "first", Value: "Ada"}, {Key: "last", Value: "L"}}},
			{Key: "emails", Value: bson.A{bson.D{{Key: "address", Value: "a@example.com"}, {Key: "verified", Value: true}}, bson.D{{Key: "address", Value: "x@example.com"}}}},
			{Key: "settings", Value: bson.D{{Key: "news", Value: true}, {Key: "other", Value: bson.D{}}}}},
		bson.D{{Key: "_id", Value: 2}, {Key: "name", Value: "Bob"}, {Key: "emails", Value: bson.A{}}, {Key: "settings", Value: nil}},
		bson.D{{Key: "_id", Value: 3}, {Key: "emails", Value: bson.A{bson.D{{Key: "address", Value: bson.A{"c@example.com"}}}}}, {Key: "name", Value: bson.D{}}},
	)
	m := source.Mapping{Key: []string{"_id"}, Email: "emails.0.address", Fields: owlatsync.Texts{owlatsync.FirstName: "name.first"}, Topics: []string{"settings.news"}}
	m.Properties = []source.Property{{Name: "verified", Column: "emails.0.verified"}}
	wantRows(t, must(mongo.Documents(c, nil, m)),
		"1 a@example.com Ada topic0=true verified=true",
		"2   topic0=false verified=<nil>",
		`3   topic0=false verified=<nil> defect: column "emails.0.address" holds a JSON object or array, not one value`,
	)
	// A path beside another that holds it.
	m.Properties = []source.Property{{Name: "whole", Column: "name"}}
	if _, err := read(t, must(mongo.Documents(c, nil, m))); err != nil {
		t.Error(err)
	}
	var names []string
	for _, col := range must(must(mongo.Documents(c, nil, m)).Columns(t.Context())) {
		names = append(names, col.Name+" "+col.DatabaseType)
	}
	if want := []string{"_id 32-bit integer", "name.first string", "name.last string", "emails.0.address string", "emails.0.verified boolean", "settings.news boolean"}; !slices.Equal(names[:6], want) {
		t.Errorf("columns %q, want %q", names, want)
	}
	for _, bad := range []string{"name..first", ".name", "name.", "$where"} {
		if _, err := mongo.Documents(c, nil, source.Mapping{Email: bad}); err == nil || !strings.Contains(err.Error(), "no path of field names") {
			t.Errorf("the path %q: %v", bad, err)
		}
	}
}

// An _id of any type is a key.
func TestKeys(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	object := must(bson.ObjectIDFromHex("64b7f0c2a1d3e4f506172839"))
	at := time.Date(2026, 11, 3, 5, 6, 7, 250_000_000, time.UTC)
	ids := []struct {
		id   any
		want string
	}{
		{object, "64b7f0c2a1d3e4f506172839"}, {"user-1", "user-1"}, {int32(7), "7"}, {int64(9007199254740993), "9007199254740993"}, {8.0, "8"}, {8.5, "8.5"}, {true, "true"},
		{bson.NewDateTimeFromTime(at), "2026-11-03T05:06:07.25Z"},
		{bson.Binary{Subtype: bson.TypeBinaryUUID, Data: []byte{0x8f, 0x14, 0xe4, 0x5f, 0xce, 0xea, 0x46, 0x7f, 0xa8, 0xd4, 0x9b, 0x3f, 0x0c, 0x1d, 0x2e, 0x3f}}, "8f14e45f-ceea-467f-a8d4-9b3f0c1d2e3f"},
		{bson.Binary{Data: []byte{1, 255}}, "01ff"},
		{bson.D{{Key: "shop", Value: "a"}, {Key: "n", Value: 1}}, `{"shop": "a","n": {"$numberInt":"1"}}`},
	}
	var documents []any
	for _, id := range ids {
		documents = append(documents, bson.D{{Key: "_id", Value: id.id}, {Key: "email", Value: "a@example.com"}})
	}
	c := insert(t, db, documents...)
	rows, err := read(t, must(mongo.Documents(c, nil, source.Mapping{Key: []string{"_id"}, Email: "email"})))
	if err != nil || len(rows) != len(ids) {
		t.Fatalf("%q and %v", rows, err)
	}
	for i, id := range ids {
		if want := id.want + " a@example.com "; rows[i] != want {
			t.Errorf("row %d is %q, want %q", i, rows[i], want)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	team := must(bson.ObjectIDFromHex("64b7f0c2a1d3e4f506172839"))
	c := insert(t, db,
		bson.D{{Key: "email", Value: "a@example.com"}, {Key: "active", Value: true}, {Key: "team", Value: team}},
		bson.D{{Key: "email", Value: "b@example.com"}, {Key: "active", Value: true}, {Key: "deletedAt", Value: time.Now()}},
		bson.D{{Key: "email", Value: "c@example.com"}, {Key: "active", Value: false}},
	)
	for text, want := range map[string][]string{
		"":                          {" a@example.com ", " b@example.com ", " c@example.com "},
		`{"active": true}`:          {" a@example.com ", " b@example.com "},
		`{active: true}`:            nil,
		`{"active": {"$ne": true}}`: {" c@example.com "},
		`{"deletedAt": null}`:       {" a@example.com ", " c@example.com "},
		`{"team": {"$oid": "64b7f0c2a1d3e4f506172839"}}`:            {" a@example.com "},
		`{"$or": [{"active": false}, {"team": {"$exists": true}}]}`: {" a@example.com ", " c@example.com "},
	} {
		filter, err := mongo.ParseFilter(text)
		if err != nil {
			if want != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		wantRows(t, must(mongo.Documents(c, filter, source.Mapping{Email: "email"})), want...)
	}
	for text, want := range map[string]string{`{"active": `: "must be a JSON object", "[]": "must be a JSON object", `{"$where": "sleep(1)"}`: "JavaScript", "true": "must be a JSON object"} {
		if _, err := mongo.ParseFilter(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", text, err, want)
		}
	}
	_, err := read(t, must(mongo.Documents(c, bson.D{{Key: "$nonsense", Value: 1}}, source.Mapping{Email: "email"})))
	if err == nil || !strings.Contains(err.Error(), "run the query") || !strings.Contains(err.Error(), "correct the filter") {
		t.Errorf("an unknown operator: %v", err)
	}
}

// A wanted field that comes only after the first documents is read; one that never comes is an error at the end.
func TestRareFields(t *testing.T) {
	t.Parallel()
	_, db := testdb.Mongo(t)
	var documents []any
	for i := range 150 {
		documents = append(documents, bson.D{{Key: "_id", Value: i}, {Key: "email", Value: "a@example.com"}})
	}
	documents = append(documents, bson.D{{Key: "_id", Value: 150}, {Key: "email", Value: "b@example.com"}, {Key: "plan", Value: "gold"}})
	c := insert(t, db, documents...)
	with := func(column string) *source.Table {
		return must(mongo.Documents(c, nil, source.Mapping{Key: []string{"_id"}, Email: "email", Properties: []source.Property{{Name: "p", Column: column}}}))
	}
	rows, err := read(t, with("plan"))
	if err != nil || len(rows) != 151 || rows[150] != "150 b@example.com  p=gold" {
		t.Errorf("%d rows and %v", len(rows), err)
	}
	var column *source.ColumnError
	if rows, err = read(t, with("plane")); !errors.As(err, &column) || column.Column != "plane" || len(rows) != 151 {
		t.Errorf("%d rows and %v, want a ColumnError at the end", len(rows), err)
	}
}

func TestConnecting(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"mongodb://ada:s3cret@127.0.0.1:27017/?connectTimeoutMS=soon":       "connectTimeoutMS",
		"mongodb://ada:s3%cret@127.0.0.1:27017/":                            "not valid",
		"mongodb://127.0.0.1:27017/?authMechanism=s3cretish&appName=s3cret": "auth mechanism",
		"postgres://ada:s3cret@127.0.0.1/x":                                 "scheme",
	} {
		client, err := mongo.Connect(uri)
		if err == nil {
			_ = client.Disconnect(context.Background())
			t.Errorf("%s: there is no error", uri)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "read the MongoDB DSN") || !strings.Contains(text, want) || strings.Contains(text, "s3cret@") || strings.Contains(text, "cret@") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	client := must(mongo.Connect("mongodb://ada:s3cret@127.0.0.1:1/shop?serverSelectionTimeoutMS=200"))
	defer func() { _ = client.Disconnect(context.Background()) }()
	table := must(mongo.Documents(client.Database("shop").Collection("people"), nil, source.Mapping{Email: "email"}))
	for name, try := range map[string]func() error{
		"ping": func() error { return table.Ping(t.Context()) },
		"rows": func() error { _, err := read(t, table); return err },
	} {
		err := try()
		if err == nil || !strings.Contains(err.Error(), "check host and port in the DSN") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
