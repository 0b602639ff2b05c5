package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// TestMongoFromInitOn is what a newcomer with MongoDB does: init, check, plan, run, and another run that sends nothing.
func TestMongoFromInitOn(t *testing.T) {
	t.Parallel()
	dsn, db := testdb.Mongo(t)
	at := time.Date(2026, 11, 3, 5, 6, 7, 0, time.UTC)
	person := func(id any, address, first, last string, more ...bson.E) bson.D {
		d := bson.D{{Key: "_id", Value: id}, {Key: "emails", Value: bson.A{bson.D{{Key: "address", Value: address}}}}, {Key: "name", Value: bson.D{{Key: "first", Value: first}, {Key: "last", Value: last}}},
			{Key: "profile", Value: bson.D{{Key: "newsletter", Value: first == "Ada"}}}, {Key: "updatedAt", Value: at}}
		return append(d, more...)
	}
	for name, documents := range map[string][]any{
		"users": {
			person(bson.NewObjectID(), "ada@example.com", "Ada", "Lovelace", bson.E{Key: "deletedAt", Value: nil}, bson.E{Key: "status", Value: "active"}),
			person(bson.NewObjectID(), "bob@example.com", "Bob", "Stone", bson.E{Key: "status", Value: "active"}, bson.E{Key: "banned", Value: false}),
			person("text-id", "cy@example.com", "Cy", "Reed", bson.E{Key: "status", Value: "active"}),
			person(7, "gone@example.com", "Go", "Ne", bson.E{Key: "deletedAt", Value: at}, bson.E{Key: "status", Value: "active"}),
			person(8, "banned@example.com", "Ba", "Nned", bson.E{Key: "status", Value: "active"}, bson.E{Key: "banned", Value: true}),
			person(9, "pending@example.com", "Pen", "Ding", bson.E{Key: "status", Value: "pending"}),
		},
		"deleted_users": {person(1, "old@example.com", "Old", "One")},
		"orders":        {bson.D{{Key: "_id", Value: 1}, {Key: "total", Value: 3.5}, {Key: "customer", Value: bson.D{{Key: "email", Value: "ada@example.com"}}}}},
	} {
		if _, err := db.Collection(name).InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.RunCommand(t.Context(), bson.D{{Key: "createIndexes", Value: "users"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "updatedAt", Value: 1}}}, {Key: "name", Value: "u"}}}}}).Err(); err != nil {
		t.Fatal(err)
	}
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	news := server.AddTopic("news", false)
	path := filepath.Join(t.TempDir(), "owlat-sync.yaml")
	env := []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + server.AddKey(), "DATABASE_URL=" + dsn}
	do := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := exitcode.Code(run(t.Context(), append(args, "--config", path), env, strings.NewReader(""), &stdout, &stderr)); code != exitcode.OK {
			written, _ := os.ReadFile(path)
			t.Fatalf("%v: %v\n%s%s\n%s", args, code, stdout.String(), stderr.String(), written)
		}
		return stdout.String()
	}
	var found struct {
		Table  string
		Key    []string
		Fields map[string]string
	}
	if err := json.Unmarshal([]byte(do("init", "--json", "--topic", news+"=profile.newsletter")), &found); err != nil {
		t.Fatal(err)
	}
	if found.Table != "users" || !slices.Equal(found.Key, []string{"_id"}) || found.Fields["email"] != "emails.0.address" || found.Fields["firstName"] != "name.first" || found.Fields["lastName"] != "name.last" {
		t.Errorf("found %+v", found)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"collection: users\n", `filter: {"deletedAt": null, "banned": {"$ne": true}, "status": "active"}`, "# cursor: updatedAt"} {
		if !strings.Contains(string(written), want) {
			t.Errorf("the file does not say %s:\n%s", want, written)
		}
	}
	if out := do("check"); strings.Contains(out, "warning") || !strings.Contains(out, "emails.0.address string") {
		t.Errorf("check says\n%s", out)
	}
	do("plan")
	do("run", "--yes")
	var got []string
	for _, c := range server.Contacts() {
		got = append(got, c.Email+" "+c.FirstName+" "+c.LastName+strings.Repeat(" news", len(c.Topics)))
	}
	slices.Sort(got)
	if want := []string{"ada@example.com Ada Lovelace news", "bob@example.com Bob Stone", "cy@example.com Cy Reed"}; !slices.Equal(got, want) {
		t.Errorf("contacts %q, want %q", got, want)
	}
	before := server.Stats().Writes
	do("run")
	if sent := server.Stats().Writes - before; sent > 0 {
		t.Errorf("another run sent %d writes", sent)
	}
	// With the cursor as init names it, a run reads what changed.
	if err := os.WriteFile(path, bytes.Replace(written, []byte("# cursor: updatedAt"), []byte("cursor: updatedAt"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	do("run")
	if _, err := db.Collection("users").UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "text-id"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "name.first", Value: "Cyrus"}, {Key: "updatedAt", Value: at.Add(time.Hour)}}}}); err != nil {
		t.Fatal(err)
	}
	do("run")
	seen := false
	for _, c := range server.Contacts() {
		seen = seen || c.FirstName == "Cyrus"
	}
	if !seen {
		t.Error("a changed document was not seen")
	}
}
