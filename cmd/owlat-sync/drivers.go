package main

import (
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // registers "sqlite", for the ledger and for sources

	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
)

// sqliteDriver is a variable so that tests can put a tap between the program and its ledger.
var sqliteDriver = "sqlite"

// drivers are the database drivers that this program links.
func drivers() setup.Drivers { return setup.Drivers{SQLite: sqliteDriver, MySQL: openMySQL} }

func openMySQL(d sourcedsn.DSN) (*sql.DB, error) {
	cfg, err := d.MySQL()
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("open the MySQL source: %w", err)
	}
	return sql.OpenDB(connector), nil
}
