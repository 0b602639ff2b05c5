package main

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // registers "sqlite", for the ledger and for sources

	"owlatsync/internal/setup"
	"owlatsync/source"
)

// sqliteDriver is a variable for the tests that put something between the program and its ledger.
var sqliteDriver = "sqlite"

// connectTimeout is how long a database may take to answer at first, where the DSN says nothing else.
const connectTimeout = 15 * time.Second

// drivers are the database drivers that this program links.
func drivers() setup.Drivers { return setup.Drivers{SQLite: sqliteDriver, MySQL: openMySQL} }

func openMySQL(d source.DSN) (*sql.DB, error) {
	cfg, err := mysqlConfig(d.MySQL())
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("open the MySQL source: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// mysqlConfig lets the driver read its own options and sets the rest afterwards, so that no character of a password has a
// meaning.
func mysqlConfig(p source.MySQLParts) (*mysql.Config, error) {
	options := make([]string, 0, len(p.Params))
	for name, value := range p.Params {
		options = append(options, name+"="+strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(value))
	}
	cfg, err := mysql.ParseDSN("/?" + strings.Join(options, "&"))
	if err != nil {
		return nil, fmt.Errorf("read the options of the MySQL source: %w", err)
	}
	cfg.Net, cfg.Addr = "tcp", p.Address()
	if p.Socket != "" {
		cfg.Net = "unix"
	}
	cfg.User, cfg.Passwd, cfg.DBName = p.User, p.Password, p.Database
	cfg.MultiStatements, cfg.ParseTime = false, false // a source is one query, and its values are read as text
	if cfg.Timeout == 0 {
		cfg.Timeout = connectTimeout
	}
	cfg.Logger = &mysql.NopLogger{} // what it would print comes back as an error as well
	return cfg, nil
}
