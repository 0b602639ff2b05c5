package initialise

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/testdb"
)

// A catalog is read over and over through a pooler of transactions, also from a schema that the DSN names.
func TestReadCatalogThroughAPooler(t *testing.T) {
	t.Parallel()
	direct := testdb.Postgres(t)
	conn, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `CREATE SCHEMA crm; CREATE TABLE crm.people (id int PRIMARY KEY, email text); INSERT INTO crm.people VALUES (1, 'a@example.com')`); err != nil {
		t.Fatal(err)
	}
	dsn, err := sourcedsn.Parse(testdb.PgBouncer(t, direct, 1)+"&schema=crm&pgbouncer=true&connection_limit=1", ".")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		catalog, err := ReadCatalog(t.Context(), setup.Opener{}, dsn)
		if err != nil {
			t.Fatal(err)
		}
		var titles []string
		for _, c := range propose.Rank(catalog) {
			titles = append(titles, c.Table.Title())
		}
		if !slices.Equal(titles, []string{"people"}) {
			t.Errorf("found %q, want the table without its schema", titles)
		}
	}
}
