// Package sourcedsn reads the text by which the program names a source: a database server or a file. It opens nothing. It gives the
// opener of a source what the driver needs.
package sourcedsn

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of source that a DSN names.
type Kind string

const (
	KindPostgres Kind = "postgres"
	KindMySQL    Kind = "mysql" // also MariaDB
	KindSQLite   Kind = "sqlite"
	KindCSV      Kind = "csv"
	KindNDJSON   Kind = "ndjson"
	KindXLSX     Kind = "xlsx"
	KindMongo    Kind = "mongodb"
)

// ErrUnknownScheme is wrapped by the error of [Parse] for a text that names no known kind of source.
var ErrUnknownScheme = errors.New("a source is named by postgres://…, mysql://…, mariadb://…, mongodb://…, sqlite:FILE, csv:FILE, ndjson:FILE or xlsx:FILE, " +
	"or by a file name that ends in .db, .sqlite, .sqlite3, .xlsx, .csv, .tsv, .ndjson or .jsonl, the last four also with .gz")

// DSN names a source. However it is printed, it does not show the password. The zero value names nothing.
type DSN struct {
	kind Kind
	// A secret is behind a pointer: printing a struct that holds a DSN does not follow it.
	*parts
}

type parts struct {
	text      string // MongoDB: the whole
	database  string // of MongoDB
	shown     string
	postgres  postgresServer
	mysql     mysqlParts
	path      string
	hint      string // what to say if there is no such file
	immutable bool   // SQLite: nobody writes to the file
	delimiter rune
	encoding  string
	sheet     string
}

// Kind returns the kind of source; it is empty for the zero value.
func (d DSN) Kind() Kind { return d.kind }

// String returns the DSN without password and options.
func (d DSN) String() string {
	if d.parts == nil {
		return ""
	}
	return d.shown
}

// Format implements fmt.Formatter, so that no verb shows the password.
func (d DSN) Format(f fmt.State, _ rune) { fmt.Fprint(f, d.String()) }

// MarshalText implements encoding.TextMarshaler with the text of String.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// ConnString returns the DSN for [source.Postgres], password included, as keys and values.
func (d DSN) ConnString() string {
	if d.kind != KindPostgres {
		return ""
	}
	return d.postgres.connString(true)
}

// Connection returns ConnString in two parts: what connects to the server, and the settings for each transaction. A pooler refuses
// settings at the connection.
func (d DSN) Connection() (connString string, settings map[string]string) {
	if d.kind != KindPostgres {
		return "", nil
	}
	return d.postgres.connString(false), maps.Clone(d.postgres.settings)
}

// Path returns the file of a SQLite, CSV or NDJSON source; a relative path is joined to Parse's folder.
func (d DSN) Path() string {
	if d.parts == nil {
		return ""
	}
	return d.path
}

// Sheet returns the sheet of a workbook that the DSN names, empty if it names none.
func (d DSN) Sheet() string {
	if d.parts == nil {
		return ""
	}
	return d.sheet
}

// IsFile reports whether the source is a file without queries.
func (d DSN) IsFile() bool { return d.kind == KindCSV || d.kind == KindNDJSON || d.kind == KindXLSX }

// Delimiter returns the character that separates the fields of a CSV source: the comma, unless the DSN or the file's ending says
// another.
func (d DSN) Delimiter() rune {
	switch {
	case d.kind != KindCSV:
		return 0
	case d.delimiter == 0:
		return ','
	}
	return d.delimiter
}

// extensions are the endings of files that need no scheme.
var extensions = map[string]Kind{
	".db": KindSQLite, ".sqlite": KindSQLite, ".sqlite3": KindSQLite,
	".csv": KindCSV, ".csv.gz": KindCSV, ".tsv": KindCSV, ".tsv.gz": KindCSV,
	".xlsx": KindXLSX, ".xlsm": KindXLSX,
	".ndjson": KindNDJSON, ".ndjson.gz": KindNDJSON, ".jsonl": KindNDJSON, ".jsonl.gz": KindNDJSON,
}

// scheme is the beginning of a URL; one letter is a Windows drive.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+):`)

// Parse reads a source's DSN: a URL for a database server, and "sqlite:", "csv:" or "ndjson:" with a file name for a file. The name
// alone is enough if its ending tells the kind. File names are not percent-decoded; relative ones are relative to folder. A CSV
// file takes the options "?delimiter=" with one percent-encoded character or "tab", and "encoding=" with a name that [source.Encoding]
// knows. The file name "-" is standard input.
//
// It also takes the forms in which other programs write the same: their names of schemes, such as postgresql+psycopg2, mysql2 and
// jdbc:postgresql, their options, "file:", and libpq's keys and values. Options that are only about another program's pool or driver
// are left out; one that has no single meaning here is an error that names it.
//
// It looks only at the text, and its errors never repeat what may be a secret.
func Parse(text, folder string) (DSN, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return DSN{}, fmt.Errorf("read the DSN: it is empty: %w", ErrUnknownScheme)
	}
	if isKeyValue(text) {
		return parseKeyValue(text, folder)
	}
	found := scheme.FindStringSubmatch(text)
	if found == nil {
		return fileWithoutScheme(text, folder)
	}
	name, rest := strings.ToLower(found[1]), text[len(found[0]):]
	jdbc := name == "jdbc"
	if jdbc {
		if found = scheme.FindStringSubmatch(rest); found == nil {
			return DSN{}, fmt.Errorf("read the DSN: it begins with no known scheme: %w", ErrUnknownScheme)
		}
		name, rest = strings.ToLower(found[1]), rest[len(found[0]):]
	}
	family, _, dialect := strings.Cut(name, "+") // SQLAlchemy names its driver after it
	switch {
	case family == "mongodb" && (!dialect || name == "mongodb+srv"):
		return parseMongo(name, rest)
	case slices.Contains([]string{"postgres", "postgresql", "pgsql", "postgis", "psql"}, family):
		return parsePostgres(rest, folder, jdbc)
	case slices.Contains([]string{"mysql", "mariadb", "mysql2", "mysqli", "pdo-mysql", "mysqldb"}, family):
		return parseMySQL(rest, folder, jdbc)
	case family == "sqlite", family == "sqlite3":
		return parseSQLite(rest, folder)
	case name == "file":
		return parseFileURL(rest, folder)
	case name == "csv":
		return parseFile(KindCSV, strings.TrimPrefix(rest, "//"), folder)
	case name == "ndjson", name == "jsonl":
		return parseFile(KindNDJSON, strings.TrimPrefix(rest, "//"), folder)
	case name == "xlsx":
		return parseFile(KindXLSX, strings.TrimPrefix(rest, "//"), folder)
	}
	if advice := elsewhere[family]; advice != "" {
		return DSN{}, fmt.Errorf("read the DSN: %s:// %s: %w", name, advice, ErrUnknownScheme)
	}
	if !strings.HasPrefix(rest, "//") {
		// The text before the colon may be anything, such as the user of "user:password@host".
		return DSN{}, fmt.Errorf("read the DSN: it begins with no known scheme: %w", ErrUnknownScheme)
	}
	return DSN{}, fmt.Errorf("read the DSN: unknown scheme %q: %w", name, ErrUnknownScheme)
}

// elsewhere says of schemes that name no database what to do.
var elsewhere = map[string]string{
	"prisma": "is a proxy of Prisma that takes no SQL; give the DSN of the database behind it",
	"ecto":   "does not say which database it is; write postgres:// or mysql://",
	"mysqlx": "is MySQL's X protocol; write mysql:// with the port of the classic protocol, 3306",
	"libsql": "is a service that only its own driver reaches; export the rows to a file, or give the SQLite file behind it",
}

// otherBooks are the endings of workbooks that are not read.
var otherBooks = []string{".xls", ".xlsb", ".ods", ".numbers"}

func fileWithoutScheme(text, folder string) (DSN, error) {
	name, _, _ := strings.Cut(text, "?")
	name = strings.ToLower(filepath.Base(name))
	for ending, kind := range extensions {
		if strings.HasSuffix(name, ending) {
			return parseFile(kind, text, folder)
		}
	}
	for _, ending := range otherBooks {
		if strings.HasSuffix(name, ending) {
			return DSN{}, fmt.Errorf("read the DSN: %s is not read: save the workbook as .xlsx", ending)
		}
	}
	return DSN{}, fmt.Errorf("read the DSN: it has neither a scheme nor a known ending: %w", ErrUnknownScheme)
}

func parseFile(kind Kind, rest, folder string) (DSN, error) {
	path, options, _ := strings.Cut(rest, "?")
	if path == "" {
		return DSN{}, fmt.Errorf("read the DSN: %s: needs the name of a file", kind)
	}
	if path == ":memory:" {
		return DSN{}, errors.New("read the DSN: a database in memory has no rows to read")
	}
	isStdin := path == Stdin && kind != KindSQLite
	if !filepath.IsAbs(path) && !isStdin {
		path = filepath.Join(folder, path)
	}
	d := DSN{kind, &parts{path: path, shown: string(kind) + ":" + path}}
	lower := strings.ToLower(path)
	if kind == KindCSV && (strings.HasSuffix(lower, ".tsv") || strings.HasSuffix(lower, ".tsv.gz")) {
		d.delimiter = '\t'
	}
	given, err := parseOptions(options)
	if err != nil {
		return DSN{}, err
	}
	for name, value := range given {
		switch {
		case kind == KindCSV && name == "delimiter":
			if d.delimiter, err = parseDelimiter(value); err != nil {
				return DSN{}, err
			}
		case kind == KindCSV && name == "encoding":
			if d.encoding, err = parseEncoding(value); err != nil {
				return DSN{}, err
			}
		case kind == KindXLSX && name == "sheet" && value != "":
			d.sheet = value
		case kind == KindXLSX && name == "sheet":
			return DSN{}, errors.New("read the DSN: the option \"sheet\" names no sheet")
		case kind == KindXLSX:
			return DSN{}, fmt.Errorf("read the DSN: xlsx: has no option %q; it takes sheet", name)
		case kind == KindSQLite:
			if err := d.setSQLite(name, value); err != nil {
				return DSN{}, err
			}
		case kind == KindCSV:
			return DSN{}, fmt.Errorf("read the DSN: csv: has no option %q; it takes delimiter and encoding", name)
		default:
			return DSN{}, fmt.Errorf("read the DSN: %s: has no option %q", kind, name)
		}
	}
	return d, nil
}

func parseDelimiter(value string) (rune, error) {
	if strings.EqualFold(value, "tab") || value == `\t` {
		return '\t', nil
	}
	runes := []rune(value)
	if len(runes) != 1 || !validDelimiter(runes[0]) {
		return 0, errors.New(`read the DSN: the delimiter must be one character other than a quote or a line break, percent-encoded, or "tab"`)
	}
	return runes[0], nil
}

// validDelimiter reports whether package source reads CSV files with the delimiter.
func validDelimiter(r rune) bool {
	return r != 0 && r != '"' && r != '\r' && r != '\n' && utf8.ValidRune(r) && r != utf8.RuneError
}

// parseOptions reads what follows the "?". Unlike net/url it leaves ";" alone, because people write that delimiter as it is.
func parseOptions(text string) (map[string]string, error) {
	options := map[string]string{}
	for option := range strings.SplitSeq(text, "&") {
		if option == "" {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, errDSNForm
		}
		if _, twice := options[name]; twice {
			return nil, fmt.Errorf("read the DSN: %s is given twice; remove one", called(name))
		}
		options[name] = value
	}
	return options, nil
}

// called returns the name of an option if it looks like one; other text could be part of a password.
func called(name string) string {
	if len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.") != "" {
		return "an option"
	}
	return fmt.Sprintf("the option %q", name)
}

// overridden returns the error for an option that a scan sets itself.
func overridden(name, why string) error {
	return fmt.Errorf("read the DSN: %s has no effect: %s; remove it", called(name), why)
}

// errDSNForm gives no details, because they may be part of a password.
var errDSNForm = errors.New("read the DSN: it is no valid URL of the form scheme://user:password@host:port/database; " +
	"in user name and password, percent-encode every character that is no letter or digit (@ is %40, : is %3A, / is %2F, # is %23, ? is %3F, % is %25)")

// authority is the part of a URL between "//" and the path, and what follows it.
type authority struct {
	user, password string
	hosts          string
	hostGiven      bool // at least one
	portGiven      bool
	path, options  string
}

// splitURL splits a server's URL by hand: url.Parse refuses the folder of a socket as a host, which PostgreSQL takes, and repeats
// parts of passwords in its errors. The drivers interpret the parts.
func splitURL(rest string) (authority, error) {
	rest, found := strings.CutPrefix(rest, "//")
	if !found {
		return authority{}, errDSNForm
	}
	var a authority
	rest, a.options, _ = strings.Cut(rest, "?")
	rest, a.path, _ = strings.Cut(rest, "/")
	at := strings.IndexByte(rest, '@')
	a.hosts = rest[at+1:]
	if strings.Contains(a.hosts, "@") || strings.Contains(rest+a.path+a.options, "#") || at < 0 && a.hosts != "" && strings.Contains(a.path+a.options, "@") {
		return authority{}, errDSNForm // the password has an unescaped "@", "#", "/" or "?"
	}
	if at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		var err, err2 error
		a.user, err = url.PathUnescape(user)
		a.password, err2 = url.PathUnescape(password)
		if err != nil || err2 != nil {
			return authority{}, errDSNForm
		}
	}
	path, err := url.PathUnescape(a.path)
	if err != nil || strings.Contains(a.path, "/") {
		return authority{}, errDSNForm
	}
	a.path = path
	for host := range strings.SplitSeq(a.hosts, ",") {
		if host != "" && !hostForm.MatchString(host) {
			return authority{}, errDSNForm
		}
		name, port, given := splitHostPort(host)
		if given && !validPort(port) {
			return authority{}, errPort
		}
		a.hostGiven, a.portGiven = a.hostGiven || name != "", a.portGiven || given
	}
	return a, nil
}

// unescaped returns a host that was percent-encoded, such as the folder of a socket.
func unescaped(host string) string {
	if plain, err := url.PathUnescape(host); err == nil {
		return plain
	}
	return host
}

// errPort does not repeat the port, which may be the password of a URL without a user.
var errPort = errors.New("read the DSN: the port must be a number from 1 to 65535")

func validPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// hostForm is a name or an address, with an optional port.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._%/-]*|\[[0-9A-Fa-f:.%]+\])(:[0-9]+)?$`)

// show returns the URL without password and options.
func (a authority) show(scheme string) string {
	user := ""
	if a.user != "" || a.password != "" {
		user = url.User(a.user).String()
		if a.password != "" {
			user += ":xxxxx"
		}
		user += "@"
	}
	return scheme + "://" + user + a.hosts + "/" + url.PathEscape(a.path)
}

func splitHostPort(s string) (host, port string, ok bool) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port, ok = s[:i], s[i+1:], true
	} else {
		host = s
	}
	return strings.Trim(host, "[]"), port, ok
}
