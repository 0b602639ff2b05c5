package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"owlatsync/internal/testdb"
)

// machine says when and on what was measured, as far as it matters for the figures and is nobody's secret.
func machine(ctx context.Context) (string, error) {
	facts := []string{
		time.Now().UTC().Format("2006-01-02"), fmt.Sprintf("%d cores", runtime.NumCPU()),
		runtime.GOOS + "/" + runtime.GOARCH, "Go " + strings.TrimPrefix(runtime.Version(), "go"),
	}
	if load := loadAverage(); load > float64(runtime.NumCPU()) {
		facts = append(facts, fmt.Sprintf("busy with other work besides (load %.0f)", load))
	}
	if dsn := os.Getenv(testdb.PostgresVariable); dsn != "" {
		version, err := postgresVersion(ctx, dsn)
		if err != nil {
			return "", fmt.Errorf("ask PostgreSQL for its version: %w", err)
		}
		facts = append(facts, "PostgreSQL "+version)
	}
	if dsn := os.Getenv(testdb.MySQLVariable); dsn != "" {
		version, err := mysqlVersion(ctx, dsn)
		if err != nil {
			return "", fmt.Errorf("ask MariaDB for its version: %w", err)
		}
		facts = append(facts, version)
	}
	return strings.Join(facts, ", "), nil
}

func postgresVersion(ctx context.Context, dsn string) (string, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	return firstWord(conn.PgConn().ParameterStatus("server_version")), nil
}

func mysqlVersion(ctx context.Context, dsn string) (string, error) {
	cfg, err := testdb.MySQLConfig(dsn)
	if err != nil {
		return "", err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return "", err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var version string
	if err := db.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		return "", err
	}
	number, name, found := strings.Cut(version, "-")
	if name, _, _ = strings.Cut(name, "-"); !found || name != "MariaDB" {
		name = "MySQL"
	}
	return name + " " + number, nil
}

// firstWord leaves out how a distribution calls its package.
func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// loadAverage is how many processes wanted to run during the last minute, 0 where the system does not say.
func loadAverage() float64 {
	var load float64
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(text), &load); err != nil {
		return 0
	}
	return load
}
