package initialise

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/testdb"
)

// Paths into the lines that mongoexport writes are proposed, with its key.
func TestReadCatalogOfAnExport(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "people.ndjson")
	const text = `{"_id":{"$oid":"64b7f0c2a1d3e4f506172839"},"name":{"first":"Ada","last":"L"},"emails":[{"address":"a@example.com"},{"address":"z@example.com"}],"tags":[]}
{"_id":{"$oid":"64b7f0c2a1d3e4f506172840"},"name":{"first":"Bob"},"emails":[{"address":"b@example.com"}],"settings":{"newsletter":true}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn, err := sourcedsn.Parse("ndjson:"+file, ".")
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := ReadCatalog(t.Context(), setup.Opener{}, dsn)
	if err != nil {
		t.Fatal(err)
	}
	p, err := propose.Propose(catalog, &catalog.Tables[0])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Key, []string{"_id.$oid"}) || p.Email != "emails.0.address" || p.Fields != (owlatsync.Texts{"name.first", "name.last"}) || len(p.Topics) != 1 || p.Topics[0].When != "settings.newsletter" {
		t.Errorf("proposed key %q, address %s, names %q, topics %+v", p.Key, p.Email, p.Fields, p.Topics)
	}
}

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
