package sourcedsn_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/internal/sourcedsn"
)

// pgForm tells where a PostgreSQL DSN leads: user:password@host:port/database, how it is encrypted, and the settings.
func pgForm(t *testing.T, d sourcedsn.DSN) string {
	t.Helper()
	connString, settings := d.Connection()
	c, err := pgconn.ParseConfig(connString)
	if err != nil {
		return err.Error()
	}
	encrypted := "plain"
	if c.TLSConfig != nil {
		encrypted = "encrypted"
		if c.TLSConfig.InsecureSkipVerify && c.TLSConfig.VerifyPeerCertificate != nil {
			encrypted = "verify-ca"
		} else if !c.TLSConfig.InsecureSkipVerify {
			encrypted = "verify-full"
		}
		for _, f := range c.Fallbacks {
			if f.TLSConfig == nil && f.Host == c.Host {
				encrypted = "prefer"
			}
		}
	}
	text := fmt.Sprintf("%s:%s@%s:%d/%s %s", c.User, c.Password, c.Host, c.Port, c.Database, encrypted)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		text += " " + name + "=" + settings[name]
	}
	for _, name := range slices.Sorted(maps.Keys(c.RuntimeParams)) {
		text += " +" + name + "=" + c.RuntimeParams[name]
	}
	return text
}

// What people have in DATABASE_URL, and where it leads.
func TestPostgresForms(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	const plain = "ada:pw@db.example:5432/shop plain"
	for text, want := range map[string]string{
		"postgresql://ada:pw@db.example:5432/shop?schema=crm&sslmode=disable":                                                                 plain + " search_path=crm",
		"postgres://ada:pw@db.example:6543/shop?pgbouncer=true&connection_limit=1&pool_timeout=20&sslmode=require":                            "ada:pw@db.example:6543/shop encrypted",
		"postgres://ada:pw@db.example/shop?sslmode=no-verify":                                                                                 "ada:pw@db.example:5432/shop encrypted",
		"postgres://ada:pw@db.example/shop?ssl=true":                                                                                          "ada:pw@db.example:5432/shop encrypted",
		"postgres://ada:pw@db.example/shop?ssl=false":                                                                                         plain,
		"postgres://ada:pw@db.example/shop?sslmode=require&sslaccept=strict":                                                                  "ada:pw@db.example:5432/shop verify-full",
		"postgres://ada:pw@db.example/shop?sslaccept=accept_invalid_certs&sslmode=require":                                                    "ada:pw@db.example:5432/shop encrypted",
		"postgres://ada:pw@db.example/shop?sslmode=verify-full&sslrootcert=system&channel_binding=prefer":                                     "ada:pw@db.example:5432/shop verify-full",
		"postgresql+psycopg2://ada:pw@db.example/shop?sslmode=disable":                                                                        plain,
		"postgresql+asyncpg://ada:pw@db.example/shop?ssl=disable&prepared_statement_cache_size=0":                                             plain,
		"postgresql+psycopg://ada:pw@db.example/shop?sslmode=disable&keepalives=1&keepalives_idle=30&gssencmode=disable":                      plain,
		"postgis://ada:pw@db.example/shop?sslmode=disable":                                                                                    plain,
		"pgsql://ada:pw@db.example/shop?sslmode=disable&serverVersion=16&charset=utf8":                                                        plain,
		"postgres://ada:pw@db.example/shop?sslmode=disable&encoding=unicode&pool=5&prepared_statements=false":                                 plain,
		"postgres://ada:pw@db.example/shop?sslmode=disable&default_query_exec_mode=exec&pool_max_conns=4":                                     plain,
		"postgres://ada:pw@db.example/shop?sslmode=disable&statement_timeout=60000":                                                           plain + " statement_timeout=60000",
		"postgres://ada:pw@db.example/shop?sslmode=disable&options=-c%20search_path%3Dcrm%2Cpublic%20-c%20geqo%3Doff":                         plain + " geqo=off search_path=crm,public",
		"postgres://ada:pw@db.example/shop?sslmode=disable&options=-csearch_path%3Dcrm":                                                       plain + " search_path=crm",
		"postgres://ada:pw@db.example/shop?sslmode=disable&options=--search_path%3Dcrm":                                                       plain + " search_path=crm",
		"postgres://ada:pw@db.example/shop?sslmode=disable&options=endpoint%3Dep-cool-1":                                                      plain + " +options=endpoint=ep-cool-1",
		"postgres://ada:pw@db.example/shop?sslmode=disable&options=-c%20default_transaction_read_only%3Don":                                   plain,
		"jdbc:postgresql://db.example:5432/shop?user=ada&password=p%26w&currentSchema=crm&ssl=false&ApplicationName=x":                        "ada:p&w@db.example:5432/shop plain search_path=crm +application_name=x",
		"jdbc:postgresql://db.example/shop?user=ada&password=pw&ssl=true&prepareThreshold=0":                                                  "ada:pw@db.example:5432/shop verify-full",
		"host=db.example port=5432 dbname=shop user=ada password=pw sslmode=disable":                                                          plain,
		"  user = ada  password = 'p w\\'s'  host=db.example dbname=shop sslmode=disable\n":                                                   "ada:p w's@db.example:5432/shop plain",
		"dbname=shop user=ada password=p\\ w host=/run/postgresql":                                                                            "ada:p w@/run/postgresql:5432/shop plain",
		"user=ada password=pw host=db.example dbname=shop sslmode=disable options='-c search_path=crm'":                                       plain + " search_path=crm",
		"postgres://ada:pw@/shop?host=/run/postgresql":                                                                                        "ada:pw@/run/postgresql:5432/shop plain",
		"postgresql://ada:pw@localhost/shop?host=/cloudsql/project:region:name":                                                               "ada:pw@/cloudsql/project:region:name:5432/shop plain",
		"postgres://ada:pw@%2Frun%2Fpostgresql:5433/shop":                                                                                     "ada:pw@/run/postgresql:5433/shop plain",
		"postgres://ada:p%27w%5C@db.example/shop?sslmode=disable":                                                                             `ada:p'w\@db.example:5432/shop plain`,
		"postgres://ada:pw@[2001:db8::1]:5433/shop?sslmode=disable":                                                                           "ada:pw@2001:db8::1:5433/shop plain",
		"postgres://ada:pw@a.example,b.example:5433/shop?sslmode=disable&target_session_attrs=any":                                            "ada:pw@a.example:5432/shop plain",
		"postgres://ada:pw@aws-0.pooler.example:6543/postgres?pgbouncer=true&supa=base-pooler.x&workaround=supabase-pooler.x&sslmode=disable": "ada:pw@aws-0.pooler.example:6543/postgres plain",
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := pgForm(t, d); got != want {
			t.Errorf("%s\n  leads to %s\n  want     %s", text, got, want)
		}
		if strings.Contains(d.String(), "pw") || strings.Contains(d.String(), "p w") || !strings.Contains(d.String(), ":xxxxx@") {
			t.Errorf("%s prints as %s", text, d)
		}
	}
	d := must(sourcedsn.Parse("postgres://db.example/shop?sslmode=verify-ca&sslrootcert=certs/ca.pem", "/base"))
	if got := d.ConnString(); !strings.Contains(got, "sslrootcert='/base/certs/ca.pem'") {
		t.Errorf("a relative file of certificates becomes %s", got)
	}
}

func TestMySQLForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mysql2://ada:pw@db.example/shop?encoding=utf8mb4&pool=5&reconnect=true":                          "tcp db.example:3306 plain",
		"mysql+pymysql://ada:pw@db.example/shop?charset=utf8":                                             "tcp db.example:3306 plain",
		"mysql+mysqldb://ada:pw@db.example/shop?unix_socket=/run/mysqld/mysqld.sock":                      "refused",
		"mysql+pymysql://ada:pw@localhost/shop?unix_socket=/run/mysqld/mysqld.sock":                       "unix /run/mysqld/mysqld.sock plain",
		"mariadb+mariadbconnector://ada:pw@db.example:3307/shop":                                          "tcp db.example:3307 plain",
		"mysqli://ada:pw@db.example/shop":                                                                 "tcp db.example:3306 plain",
		"mysql://ada:pw@db.example:25060/shop?ssl-mode=REQUIRED":                                          "tcp db.example:25060 encrypted",
		"mysql://ada:pw@db.example/shop?sslmode=require":                                                  "tcp db.example:3306 encrypted",
		"mysql://ada:pw@db.example/shop?sslMode=VERIFY_IDENTITY":                                          "tcp db.example:3306 verify-full",
		"mysql://ada:pw@db.example/shop?ssl-mode=VERIFY_CA":                                               "tcp db.example:3306 verify-ca",
		"mysql://ada:pw@db.example/shop?ssl-mode=DISABLED":                                                "tcp db.example:3306 plain",
		"mysql://ada:pw@db.example/shop?ssl-mode=PREFERRED":                                               "tcp db.example:3306 prefer",
		"mysql://ada:pw@db.example/shop?sslaccept=strict&connection_limit=1":                              "tcp db.example:3306 verify-full",
		"mysql://ada:pw@db.example/shop?ssl={%22rejectUnauthorized%22:true}":                              "tcp db.example:3306 verify-full",
		"mysql://ada:pw@db.example/shop?ssl={%22rejectUnauthorized%22:false}":                             "tcp db.example:3306 encrypted",
		"mysql://ada:pw@db.example/shop?ssl=true":                                                         "tcp db.example:3306 verify-full",
		"mysql://ada:pw@db.example/shop?serverVersion=8.0.32&charset=utf8mb4":                             "tcp db.example:3306 plain",
		"mysql://ada:pw@db.example/shop?connect_timeout=5":                                                "tcp db.example:3306 plain 5s",
		"jdbc:mysql://db.example:3306/shop?user=ada&password=pw&useSSL=false&serverTimezone=UTC":          "tcp db.example:3306 plain",
		"jdbc:mysql://db.example/shop?user=ada&password=pw&useSSL=true&verifyServerCertificate=true":      "tcp db.example:3306 verify-full",
		"jdbc:mysql://db.example/shop?user=ada&password=pw&requireSSL=true&useUnicode=true":               "tcp db.example:3306 encrypted",
		"jdbc:mariadb://db.example/shop?user=ada&password=pw&connectTimeout=7000&characterEncoding=UTF-8": "tcp db.example:3306 plain 7s",
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil {
			if want != "refused" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		c, err := d.MySQL()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := c.Net + " " + c.Addr + " plain"
		if c.TLS != nil {
			kind := map[bool]string{true: "encrypted", false: "verify-full"}[c.TLS.InsecureSkipVerify]
			if c.TLS.VerifyConnection != nil {
				kind = "verify-ca"
			}
			if c.AllowFallbackToPlaintext {
				kind = "prefer"
			}
			got = c.Net + " " + c.Addr + " " + kind
		}
		if strings.Contains(text, "onnect") && strings.Contains(text, "imeout=") {
			got += " " + c.Timeout.String()
		}
		if got != want || c.User != "ada" || c.Passwd != "pw" || c.DBName != "shop" || len(c.Params) > 0 {
			t.Errorf("%s\n  leads to %s as %s to %s with %v\n  want     %s", text, got, c.User, c.DBName, c.Params, want)
		}
	}
}

// The certificate of a server is checked by the file that the DSN names, which is relative to the configuration.
func TestMySQLCertificates(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	d := must(sourcedsn.Parse("mysql://db.example/shop?ssl-ca=ca.pem", folder))
	if _, err := d.MySQL(); err == nil || !strings.Contains(err.Error(), "ssl-ca") || !strings.Contains(err.Error(), filepath.Join(folder, "ca.pem")) {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "ca.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.MySQL(); err == nil || !strings.Contains(err.Error(), "no certificate in PEM form") {
		t.Errorf("with another file: %v", err)
	}
	c := must(must(sourcedsn.Parse("mysql://db.example/shop?ssl-mode=VERIFY_CA", folder)).MySQL())
	if err := c.TLS.VerifyConnection(tls.ConnectionState{}); err == nil {
		t.Error("a server without a certificate is taken")
	}
}

func TestSQLiteForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"file:./dev.db":                        "sqlite:/base/dev.db",
		"file:./dev.db?connection_limit=1":     "sqlite:/base/dev.db",
		"file:dev":                             "sqlite:/base/dev",
		"file:/srv/app.db?mode=rwc&_fk=1":      "sqlite:/srv/app.db",
		"file:///srv/app.db":                   "sqlite:/srv/app.db",
		"file:people.csv":                      "csv:/base/people.csv",
		"sqlite:///x.db":                       "sqlite:/base/x.db",
		"sqlite:////srv/x.db":                  "sqlite:/srv/x.db",
		"sqlite://x.db":                        "sqlite:/base/x.db",
		"sqlite+aiosqlite:///./x.db?timeout=5": "sqlite:/base/x.db",
		"sqlite3:db/development.sqlite3":       "sqlite:/base/db/development.sqlite3",
		"jdbc:sqlite:x.db":                     "sqlite:/base/x.db",
		"sqlite:x.db?mode=rwc&cache=shared":    "sqlite:/base/x.db",
		"sqlite:x.db?immutable=1":              "sqlite:/base/x.db",
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil || d.String() != want {
			t.Errorf("%s leads to %s, %v; want %s", text, d, err, want)
		}
	}
	folder := t.TempDir()
	_, err := must(sourcedsn.Parse("sqlite:///srv/nowhere/x.db", folder)).SQLiteURI()
	if err == nil || !strings.Contains(err.Error(), "sqlite:////FILE") || !strings.Contains(err.Error(), filepath.Join(folder, "srv/nowhere/x.db")) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "x.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for option, want := range map[string]bool{"?immutable=1": true, "?immutable=0": false, "": false} {
		uri := must(must(sourcedsn.Parse("sqlite:x.db"+option, folder)).SQLiteURI())
		if strings.Contains(uri, "immutable=1") != want || !strings.Contains(uri, "mode=ro") {
			t.Errorf("%q opens %s", option, uri)
		}
	}
}

func TestMongoForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mongodb://ada:pw@a.example:27017,b.example/shop?replicaSet=rs0&authSource=admin": "mongodb://ada:xxxxx@a.example:27017,b.example/shop",
		"mongodb+srv://ada:pw@cluster.example/?retryWrites=true":                          "mongodb+srv://ada:xxxxx@cluster.example/",
		"mongodb://127.0.0.1/shop": "mongodb://127.0.0.1/shop",
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil || d.String() != want || d.MongoURI() != text || d.Kind() != sourcedsn.KindMongo {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
}

// A parameter that has no single meaning is named, without its value.
func TestRefusedForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"postgres://u:s3cret@db.example/x?sslmode=sometimes":                {`the option "sslmode" must be`, "verify-full", "!sometimes"},
		"postgres://u:s3cret@db.example/x?ssl=perhaps":                      {`the option "ssl" must be`},
		"postgres://u:s3cret@db.example/x?connect_timeout=soon":             {`the option "connect_timeout" must be a whole number of seconds`},
		"postgres://u:s3cret@db.example/x?sslidentity=a.p12":                {`no option "sslidentity"`, "sslcert and sslkey"},
		"postgres://u:s3cret@db.example/x?sslaccept=strict&sslmode=disable": {`"sslaccept" and "sslmode" contradict`},
		"postgres://u:s3cret@db.example/x?schema=a&search_path=b":           {`the option "schema" and the option "search_path" are the same`},
		"postgres://u:s3cret@db.example/x?gssencmode=require":               {`"gssencmode=require"`, "sslmode"},
		"postgres://u:s3cret@db.example/x?encoding=latin1":                  {`the option "encoding" has no effect`, "UTF-8"},
		"host=db.example host=other.example password=s3cret":                {`the option "host" is given twice`},
		"host=db.example password='s3cret":                                  {"key=value", "single quotes"},
		"host=db.example password=s3 cret":                                  {"key=value"},
		"mysql://u:s3cret@db.example/x?ssl-mode=SOMETIMES":                  {`must be DISABLED, PREFERRED`},
		"mysql://u:s3cret@db.example/x?ssl-mode=DISABLED&sslaccept=strict":  {"contradict each other"},
		"mysql://u:s3cret@db.example/x?tls=true&ssl-mode=REQUIRED":          {`the option "tls" are the same`},
		"mysql://u:s3cret@db.example/x?ssl-capath=/etc/ssl":                 {"takes no folder of certificates", "ssl-ca"},
		"mysql://u:s3cret@db.example/x?characterEncoding=latin1":            {`the option "characterEncoding" has no effect`},
		"mysql://u:s3cret@db.example/x?connect_timeout=soon":                {`the option "connect_timeout" must be a whole number`},
		"mysql://u:s3cret@db.example/x?unix_socket=/run/a":                  {`there is a host and the option "socket"`},
		"mysqlx://u:s3cret@db.example:33060/x":                              {"X protocol", "mysql://"},
		"prisma+postgres://db.example/?api_key=s3cret":                      {"proxy of Prisma"},
		"prisma://db.example/?api_key=s3cret":                               {"proxy of Prisma"},
		"ecto://u:s3cret@db.example/x":                                      {"does not say which database"},
		"libsql://x.turso.example?authToken=s3cret":                         {"only its own driver"},
		"sqlite:file.db?mode=memory":                                        {"in memory"},
		"file://server/app.db":                                              {"names a host", "file:///FILE"},
		"sqlite:app.db?key=s3cret":                                          {`no option "key"`},
		"mongodb:///shop":                                                   {"needs a host"},
		"mongodb://u:s3@cret@db.example/shop":                               {"no valid URL"},
		"jdbc:sqlserver://db.example;user=sa;password=s3cret":               {`unknown scheme "sqlserver"`},
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err == nil {
			t.Errorf("%q: there is no error, but %v", text, d)
			continue
		}
		t.Run(text, func(t *testing.T) { says(t, err, append(want, "!s3cret", "!cret")...) })
	}
}
