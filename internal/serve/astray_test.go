package serve

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/internal/testdb"
)

// TestAPayloadThatIsNoKey: a trigger that sends the name of its table wakes the sync all the same.
func TestAPayloadThatIsNoKey(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	do := func(statement string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), statement).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE TABLE users (id int PRIMARY KEY, email text, news boolean); INSERT INTO users VALUES (1, 'ann@example.com', true), (2, 'bob@example.com', true)")
	h := newHouse(t)
	h.configure(`"csv:users.csv"} → "` + dsn + `", query: "SELECT id, email, news FROM users", listen: users_changed}`)
	l := h.begin()
	l.until("the first run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })
	do("INSERT INTO users VALUES (3, 'eve@example.com', true); NOTIFY users_changed, 'users'")
	l.until("the new person", func() bool { return h.member("eve@example.com") })
}
