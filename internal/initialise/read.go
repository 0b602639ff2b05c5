package initialise

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
)

// look is how a database is looked at.
func look() inspect.Look { return inspect.Look{Order: propose.Order} }

// ReadCatalog reads the tables of a database, or the first rows of a file.
func ReadCatalog(ctx context.Context, o setup.Opener, dsn sourcedsn.DSN) (*inspect.Catalog, error) {
	if err := probe(ctx, o, dsn); err != nil {
		return nil, err
	}
	switch dsn.Kind() {
	case sourcedsn.KindPostgres:
		connString, settings := dsn.Connection()
		conn, err := pgx.Connect(ctx, connString)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		l := look()
		l.Settings = settings
		return inspect.ReadPostgres(ctx, conn, l)
	case sourcedsn.KindMongo:
		db, closeClient, err := setup.Mongo(dsn)
		if err != nil {
			return nil, err
		}
		catalog, err := inspect.ReadMongo(ctx, db, look())
		return catalog, errors.Join(err, closeClient())
	case sourcedsn.KindMySQL:
		return readSQL(ctx, dsn, o.MySQL, inspect.ReadMySQL)
	case sourcedsn.KindSQLite:
		return readSQL(ctx, dsn, o.SQLite, inspect.ReadSQLite)
	case sourcedsn.KindXLSX:
		return inspect.ReadSheet(ctx, dsn.Path(), dsn.Sheet(), fileTitle(dsn))
	}
	file, err := os.Open(dsn.Path())
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if dsn.Kind() == sourcedsn.KindCSV {
		return inspect.ReadCSV(file, fileTitle(dsn), dsn.Delimiter())
	}
	return inspect.ReadNDJSON(file, fileTitle(dsn))
}

// guessDelimiter adds the likely delimiter of a CSV file to a DSN that names none.
func guessDelimiter(dsn sourcedsn.DSN, text string) (sourcedsn.DSN, string, error) {
	path, options, _ := strings.Cut(text, "?")
	if dsn.Kind() != sourcedsn.KindCSV || strings.Contains(options, "delimiter=") {
		return dsn, text, nil
	}
	file, err := os.Open(dsn.Path())
	if err != nil {
		return dsn, text, nil // reading the file will fail in the words of a run
	}
	defer file.Close()
	delimiter, err := inspect.GuessDelimiter(file)
	if err != nil || delimiter == dsn.Delimiter() {
		return dsn, text, err
	}
	name := url.QueryEscape(string(delimiter))
	if delimiter == '\t' {
		name = "tab"
	}
	text = path + "?" + strings.Trim(options+"&delimiter="+name, "&")
	dsn, err = sourcedsn.Parse(text, ".")
	return dsn, text, err
}

func readSQL(ctx context.Context, dsn sourcedsn.DSN, open func(sourcedsn.DSN) (*sql.DB, error),
	read func(context.Context, *sql.DB, inspect.Look) (*inspect.Catalog, error)) (*inspect.Catalog, error) {
	db, err := open(dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return read(ctx, db, look())
}

// probe connects as a run would, so that a bad DSN gives the same error.
func probe(ctx context.Context, o setup.Opener, dsn sourcedsn.DSN) (err error) {
	src, closeSource, err := o.Source(config.Sync{Target: dsn, Query: "SELECT 1", Fields: config.Fields{Email: "email"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	return src.Ping(ctx)
}

// fileTitle returns the name of a file without its endings.
func fileTitle(dsn sourcedsn.DSN) string {
	name, _, _ := strings.Cut(filepath.Base(dsn.Path()), ".")
	return name
}

// writableDSN returns the DSN for the configuration file at path, and whether it is a reference to the environment. It is a
// reference if the DSN came from there or may hold a secret.
func writableDSN(dsn sourcedsn.DSN, text, path string, fromEnv bool) (string, bool) {
	_, options, _ := strings.Cut(text, "?")
	if options != "" {
		options = "?" + options
	}
	switch dsn.Kind() {
	case sourcedsn.KindSQLite, sourcedsn.KindCSV, sourcedsn.KindNDJSON, sourcedsn.KindXLSX:
		return string(dsn.Kind()) + ":" + relativeTo(filepath.Dir(path), dsn.Path()) + options, false
	}
	lower := strings.ToLower(text)
	secret := strings.Contains(dsn.String(), ":xxxxx@") || strings.Contains(lower, "pass") || strings.Contains(lower, "token")
	if fromEnv || secret {
		return "${" + EnvDatabase + "}", true
	}
	return strings.TrimSpace(text), false
}
