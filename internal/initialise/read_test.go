package initialise

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
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

// DSNs in the forms of other programs reach the same tables on real servers.
func TestReadCatalogByOtherForms(t *testing.T) {
	t.Parallel()
	pg, err := url.Parse(testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	my, err := url.Parse(testdb.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	const create = "CREATE TABLE people (id int PRIMARY KEY, email varchar(100))"
	conn, err := pgx.Connect(t.Context(), pg.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if _, err := testdb.OpenMySQL(t, my.String()).ExecContext(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	o := setup.Opener{Drivers: setup.Drivers{MySQL: func(d sourcedsn.DSN) (*sql.DB, error) {
		c, err := d.MySQL()
		if err != nil {
			return nil, err
		}
		connector, err := mysql.NewConnector(c)
		return sql.OpenDB(connector), err
	}}}
	parts := func(u *url.URL) (user, password, host, port, database string) {
		password, _ = u.User.Password()
		return u.User.Username(), password, u.Hostname(), u.Port(), strings.TrimPrefix(u.Path, "/")
	}
	user, password, host, port, database := parts(pg)
	myUser, myPassword, myHost, myPort, myDatabase := parts(my)
	for _, text := range []string{
		fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=disable", host, port, user, password, database),
		fmt.Sprintf("jdbc:postgresql://%s:%s/%s?user=%s&password=%s&ssl=false&prepareThreshold=0", host, port, database, user, password),
		fmt.Sprintf("postgresql+psycopg2://%s:%s@%s:%s/%s?sslmode=disable", user, password, host, port, database),
		fmt.Sprintf("postgres://%s:%s@%s:%s/%s?schema=public&connection_limit=5&sslmode=prefer", user, password, host, port, database),
		fmt.Sprintf("postgres://%s:%s@%s:%s/%s?options=-c%%20search_path%%3Dpublic%%20-c%%20statement_timeout%%3D1min", user, password, host, port, database),
		fmt.Sprintf("mysql2://%s:%s@%s:%s/%s?encoding=utf8mb4&pool=5", myUser, myPassword, myHost, myPort, myDatabase),
		fmt.Sprintf("mysql+pymysql://%s:%s@%s:%s/%s?charset=utf8mb4&ssl-mode=PREFERRED", myUser, myPassword, myHost, myPort, myDatabase),
		fmt.Sprintf("jdbc:mariadb://%s:%s/%s?user=%s&password=%s&useSSL=false&connectTimeout=5000", myHost, myPort, myDatabase, myUser, myPassword),
	} {
		form, _, _ := strings.Cut(text, ":")
		dsn, err := sourcedsn.Parse(text, ".")
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		catalog, err := ReadCatalog(t.Context(), o, dsn)
		if err != nil || catalog.Find("people") == nil {
			t.Errorf("%s: %+v and %v", form, catalog, err)
		}
		if written, reference := writableDSN(dsn, text, "owlat-sync.yaml", false); !reference {
			t.Errorf("%s: the file would say %s", form, written)
		}
	}
}
