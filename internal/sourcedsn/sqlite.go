package sourcedsn

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// parseSQLite reads what follows "sqlite:".
func parseSQLite(rest, folder string) (DSN, error) {
	d, err := parseFile(KindSQLite, afterSlashes(rest), folder)
	if err == nil && strings.HasPrefix(rest, "///") && !strings.HasPrefix(rest, "////") {
		d.hint = "; after three slashes the file is relative to the folder of the configuration, after four it is not: sqlite:////FILE"
	}
	return d, err
}

// afterSlashes returns the file of "sqlite://…", in which other programs write a relative file after three slashes and an absolute
// one after four. Two slashes may be missing altogether.
func afterSlashes(rest string) string {
	if path, found := strings.CutPrefix(rest, "///"); found {
		return path
	}
	return strings.TrimPrefix(rest, "//")
}

// parseFileURL reads "file:", by which some programs name an SQLite database, unless the ending of the file says that it is another
// one.
func parseFileURL(rest, folder string) (DSN, error) {
	path, _, _ := strings.Cut(rest, "?")
	if host, found := strings.CutPrefix(path, "//"); found && !strings.HasPrefix(host, "/") {
		return DSN{}, errors.New("read the DSN: file:// names a host; write file:FILE for a file beside the configuration, or file:///FILE for one of the whole machine")
	}
	rest = strings.TrimPrefix(rest, "//")
	kind := KindSQLite
	for ending, k := range extensions {
		if strings.HasSuffix(strings.ToLower(path), ending) {
			kind = k
		}
	}
	return parseFile(kind, rest, folder)
}

// sqliteIgnored are options of other programs for SQLite that say nothing about which rows there are. The file is opened for reading
// whatever mode says.
var sqliteIgnored = []string{
	"mode", "cache", "connection_limit", "pool_timeout", "socket_timeout", "connect_timeout", "timeout", "pool", "check_same_thread", "uri", "_fk", "_foreign_keys",
	"_journal", "_journal_mode", "_timeout", "_busy_timeout", "_sync", "_synchronous", "_loc", "_txlock", "_cache_size", "foreign_keys", "journal_mode", "busy_timeout",
}

// setSQLite takes an option of an SQLite source.
func (d DSN) setSQLite(name, value string) error {
	switch {
	case name == "mode" && value == "memory":
		return errors.New("read the DSN: a database in memory has no rows to read")
	case name == "immutable":
		d.immutable = slices.Contains([]string{"1", "true", "yes", "on"}, strings.ToLower(value))
	case !slices.Contains(sqliteIgnored, name):
		return fmt.Errorf("read the DSN: sqlite: has no option %q; it takes immutable=1, for a file that nobody writes to", name)
	}
	return nil
}

// SQLiteURI returns the URI with which modernc.org/sqlite opens the source read-only and waits up to five seconds for a writer. It
// fails if there is no such file: a source is never created.
func (d DSN) SQLiteURI() (string, error) {
	query := "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"
	if d.parts != nil && d.immutable {
		query = "immutable=1&" + query
	}
	return d.sqliteURI(query)
}

// SQLiteWriteURI is SQLiteURI for a database that is written to.
func (d DSN) SQLiteWriteURI() (string, error) {
	if d.parts != nil && d.immutable {
		return "", errors.New("open the SQLite database: its DSN says immutable=1, that nobody writes to it; give the write-back a \"dsn\" of its own without it")
	}
	return d.sqliteURI("mode=rw&_pragma=busy_timeout(5000)&_txlock=immediate")
}

func (d DSN) sqliteURI(query string) (string, error) {
	if d.kind != KindSQLite {
		return "", errors.New("open the SQLite source: the DSN names none")
	}
	info, err := os.Stat(d.path)
	switch {
	case err != nil:
		return "", fmt.Errorf("open the SQLite source: %w%s", err, d.hint)
	case info.IsDir():
		return "", fmt.Errorf("open the SQLite source: %s is a folder", d.path)
	}
	path, err := filepath.Abs(d.path)
	if err != nil {
		return "", fmt.Errorf("open the SQLite source: %w", err)
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: query}
	return uri.String(), nil
}
