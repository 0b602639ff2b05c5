package main

import (
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

func TestSyncUsers(t *testing.T) {
	t.Parallel()
	database := testdb.Postgres(t)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, statement := range []string{
		`CREATE TABLE users (id bigint PRIMARY KEY, email text, first_name text, last_name text, newsletter boolean, email_verified boolean)`,
		`INSERT INTO users VALUES (1, 'ada@example.com', 'Ada', 'Lovelace', true, true), (2, 'bob@example.com', 'Bob', NULL, false, true),
			(3, 'new@example.com', 'New', NULL, true, false)`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	topic := server.AddTopic("news", false)
	s := settings{database: database, url: listener.URL, key: server.AddKey(), topic: topic, ledger: filepath.Join(t.TempDir(), "owlat-sync.db")}

	report, err := syncUsers(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != 2 || report.Outcomes[owlatsync.Created] != 2 || report.Memberships.Added != 1 {
		t.Errorf("the first run: %+v", report)
	}
	if ada, ok := server.Contact("ada@example.com"); !ok || !slices.Equal(ada.Topics, []string{topic}) || ada.FirstName != "Ada" {
		t.Errorf("Owlat holds %+v", ada)
	}
	report, err = syncUsers(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if report.Requests.Total != 0 || report.Outcomes[owlatsync.Unchanged] != 2 {
		t.Errorf("the second run: %+v", report)
	}
}
