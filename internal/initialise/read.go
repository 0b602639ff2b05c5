package initialise

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/source"
	"owlatsync/source/xlsx"
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
	if dsn.Kind() == sourcedsn.KindCSV {
		return inspect.ReadCSV(ctx, o.File(dsn), fileTitle(dsn), dsn.CSVOptions()...)
	}
	file, err := o.File(dsn)()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return inspect.ReadNDJSON(file, fileTitle(dsn))
}

// Complete adds to the DSN of a CSV file what reading it needs and the DSN does not say: the likely delimiter and encoding. It returns
// other DSNs as they are.
func Complete(o setup.Opener, dsn sourcedsn.DSN, text string) (sourcedsn.DSN, string, error) {
	if dsn.Kind() != sourcedsn.KindCSV {
		return dsn, text, nil
	}
	_, given, _ := strings.Cut(text, "?")
	chosen := strings.Contains(given, "delimiter=")
	var options []source.CSVOption // without the delimiter of the file's ending, which may be wrong
	if chosen {
		options = append(options, source.Delimiter(dsn.Delimiter()))
	}
	if dsn.Encoding() != "" {
		options = append(options, source.Encoding(dsn.Encoding()))
	}
	form, err := source.ExamineCSV(o.File(dsn), options...)
	if err != nil {
		return dsn, text, nil // reading the file will fail in the words of a run
	}
	if delimiter := cmp.Or(form.Delimiter, ','); !chosen && delimiter != dsn.Delimiter() {
		name := url.QueryEscape(string(delimiter))
		if delimiter == '\t' {
			name = "tab"
		}
		text = withOption(text, "delimiter="+name)
	}
	if form.Encoding != "" {
		text = withOption(text, "encoding="+form.Encoding)
	}
	dsn, err = sourcedsn.Parse(text, ".")
	return dsn, text, err
}

func withOption(text, option string) string {
	path, options, _ := strings.Cut(text, "?")
	return path + "?" + strings.Trim(options+"&"+option, "&")
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
	if dsn.Path() == sourcedsn.Stdin {
		return "people"
	}
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
		if dsn.Path() == sourcedsn.Stdin {
			return dsn.String() + options, false
		}
		return string(dsn.Kind()) + ":" + relativeTo(filepath.Dir(path), dsn.Path()) + options, false
	}
	lower := strings.ToLower(text)
	secret := strings.Contains(dsn.String(), ":xxxxx@") || strings.Contains(lower, "pass") || strings.Contains(lower, "token")
	if fromEnv || secret {
		return "${" + EnvDatabase + "}", true
	}
	return strings.TrimSpace(text), false
}

// noteSheets notes which sheet of a workbook was taken if the DSN names none of several.
func noteSheets(dsn sourcedsn.DSN, p *propose.Proposal) error {
	if dsn.Kind() != sourcedsn.KindXLSX || dsn.Sheet() != "" {
		return nil
	}
	sheets, err := xlsx.Sheets(dsn.Path())
	if err == nil && len(sheets) > 1 {
		p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("The first of %d sheets is taken, %q. \"?sheet=%s\" at the end of the dsn takes another, such as %q.",
			len(sheets), sheets[0], url.QueryEscape(sheets[1]), sheets[1]))
	}
	return err
}
