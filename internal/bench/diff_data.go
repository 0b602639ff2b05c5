package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"

	"owlatsync/internal/testdb"
)

const postgresName = "PostgreSQL"

// What every database calls its people.
const (
	peopleTable   = "bench_diff_people"
	manyTable     = "bench_diff_many"
	shuffledTable = "bench_diff_shuffled"
)

// The people are made by each database itself, all the same: n stands for their number.
const (
	postgresPerson = "n AS id, 'user' || n || '@example.com' AS email, 'First' || n AS first_name, 'Last' || n AS last_name"
	mariaDBPerson  = "seq AS id, concat('user', seq, '@example.com') AS email, concat('First', seq) AS first_name, concat('Last', seq) AS last_name"
)

// diffData makes the tables, files and ledgers that the races read.
type diffData struct {
	folder  string
	log     io.Writer
	cleanUp []func() error
}

func (b *diffData) close() error {
	var errs []error
	for _, f := range b.cleanUp {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func (b *diffData) say(format string, args ...any) {
	fmt.Fprintf(b.log, "diff: "+format+"\n", args...)
}

// prepare makes the program, the people and the ledgers that know them.
func (b *diffBench) prepare(ctx context.Context) ([]*race, error) {
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	ledger, err := b.makeLedger(ctx, "ledger.db", diffRows)
	if err != nil {
		return nil, err
	}
	// The large ledger takes the longest by far, on one core: the servers fill their tables beside it.
	const large = "many.db"
	together, ctx := errgroup.WithContext(ctx)
	together.Go(func() error {
		_, err := b.makeLedger(ctx, large, diffManyRows)
		return err
	})
	var races []*race
	together.Go(func() (err error) {
		races, err = b.makeTables(ctx, ledger, filepath.Join(b.folder, large))
		return err
	})
	return races, together.Wait()
}

func (b *diffData) makeTables(ctx context.Context, ledger, many string) ([]*race, error) {
	var races []*race
	for _, make := range []func(context.Context, string, string) ([]*race, error){b.postgres, b.mariaDB, b.sqlite, b.csv} {
		made, err := make(ctx, ledger, many)
		if err != nil {
			return nil, err
		}
		races = append(races, made...)
	}
	return races, nil
}

func serverOf(variable string) (string, error) {
	if dsn := os.Getenv(variable); dsn != "" {
		return dsn, nil
	}
	return "", fmt.Errorf("%s is not set; `make bench` starts the server", variable)
}

func (b *diffData) postgres(ctx context.Context, ledger, many string) ([]*race, error) {
	dsn, err := serverOf(testdb.PostgresVariable)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for _, t := range []struct {
		name, rows, order string
	}{
		{peopleTable, fmt.Sprint(diffRows), ""},
		{shuffledTable, fmt.Sprint(diffRows), " ORDER BY md5(n::text)"},
		{manyTable, fmt.Sprint(diffManyRows), ""},
	} {
		b.say("making %s rows of %s", t.rows, postgresName)
		err := b.fill(ctx, db, t.name,
			"CREATE UNLOGGED TABLE "+t.name+" AS SELECT "+postgresPerson+" FROM generate_series(1, "+t.rows+") AS n"+t.order,
			"VACUUM (FREEZE, ANALYZE) "+t.name)
		if err != nil {
			return nil, err
		}
	}
	b.cleanUp = append(b.cleanUp, func() error { return dropTables("pgx", dsn, peopleTable, shuffledTable, manyTable) })
	one := &race{
		name: postgresName, rows: diffRows, run: diffRun{ledger, dsn, peopleTable, true}, repetitions: 7, want: 1.5,
		yardstickName: "psql", yardstick: psqlCopy(dsn, peopleTable),
	}
	shuffled := &race{
		name: postgresName + ", in another order than the ledger's", rows: diffRows, run: diffRun{ledger, dsn, shuffledTable, true}, repetitions: 3,
		yardstickName: "psql", yardstick: psqlCopy(dsn, shuffledTable),
	}
	large := &race{name: postgresName, rows: diffManyRows, run: diffRun{many, dsn, manyTable, true}, repetitions: 5, smaller: one}
	return []*race{one, shuffled, large}, nil
}

// psqlCopy has psql copy the people to nowhere.
func psqlCopy(dsn, table string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		u, err := url.Parse(dsn)
		if err != nil {
			return 0, err
		}
		password, _ := u.User.Password()
		u.User = url.User(u.User.Username())
		cmd := exec.CommandContext(ctx, "psql", u.String(), "--no-psqlrc", "--command", `\copy (`+fmt.Sprintf(diffQuery, table)+`) TO '/dev/null'`)
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("psql: %w\n%s", err, out)
		}
		return strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(out), "COPY ")))
	}
}

func (b *diffData) mariaDB(ctx context.Context, ledger, _ string) ([]*race, error) {
	dsn, err := serverOf(testdb.MySQLVariable)
	if err != nil {
		return nil, err
	}
	config, err := testdb.MySQLConfig(dsn)
	if err != nil {
		return nil, err
	}
	driverDSN := config.FormatDSN()
	db, err := sql.Open("mysql", driverDSN)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	b.say("making %d rows of MariaDB", diffRows)
	err = b.fill(ctx, db, peopleTable,
		fmt.Sprintf("CREATE TABLE %s (PRIMARY KEY (id)) AS SELECT %s FROM seq_1_to_%d", peopleTable, mariaDBPerson, diffRows))
	if err != nil {
		return nil, err
	}
	b.cleanUp = append(b.cleanUp, func() error { return dropTables("mysql", driverDSN, peopleTable) })
	return []*race{{
		name: "MariaDB", rows: diffRows, run: diffRun{ledger: ledger, dsn: dsn, table: peopleTable}, repetitions: 4, want: 2,
		yardstickName: "bare driver", yardstick: drain("mysql", driverDSN),
	}}, nil
}

func (b *diffData) sqlite(ctx context.Context, ledger, _ string) ([]*race, error) {
	path := filepath.Join(b.folder, "people.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	b.say("making %d rows of SQLite", diffRows)
	err = b.fill(ctx, db, peopleTable,
		"CREATE TABLE "+peopleTable+" (id INTEGER PRIMARY KEY, email TEXT, first_name TEXT, last_name TEXT)",
		fmt.Sprintf(`INSERT INTO %s WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < %d) SELECT %s FROM seq`,
			peopleTable, diffRows, postgresPerson))
	if err != nil {
		return nil, err
	}
	return []*race{{
		name: "SQLite", rows: diffRows, run: diffRun{ledger: ledger, dsn: "sqlite:" + path, table: peopleTable}, repetitions: 4, want: 2,
		yardstickName: "bare driver", yardstick: drain("sqlite", path),
	}}, nil
}

func (b *diffData) csv(_ context.Context, ledger, _ string) ([]*race, error) {
	path := filepath.Join(b.folder, "people.csv")
	b.say("making %d rows of CSV", diffRows)
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,email,first_name,last_name")
	for n := 1; n <= diffRows; n++ {
		fmt.Fprintf(w, "%d,user%d@example.com,First%d,Last%d\n", n, n, n, n)
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return []*race{{
		name: "CSV", rows: diffRows, run: diffRun{ledger: ledger, dsn: "csv:" + path}, repetitions: 7, want: 2,
		yardstickName: "encoding/csv", yardstick: drainCSV(path),
	}}, nil
}

func (b *diffData) fill(ctx context.Context, db *sql.DB, table string, statements ...string) error {
	for _, statement := range append([]string{"DROP TABLE IF EXISTS " + table}, statements...) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make %s: %w", table, err)
		}
	}
	return nil
}

func dropTables(driver, dsn string, tables ...string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	// Not the measurement's context, which may be done.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = db.ExecContext(ctx, "DROP TABLE IF EXISTS "+strings.Join(tables, ", "))
	return err
}

// drain reads the people with the bare driver: a new connection, every value as bytes that nobody looks at.
func drain(driver, dsn string) func(context.Context) (int, error) {
	return func(ctx context.Context) (n int, err error) {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			return 0, err
		}
		defer db.Close()
		rows, err := db.QueryContext(ctx, fmt.Sprintf(diffQuery, peopleTable))
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		var raw [4]sql.RawBytes
		for rows.Next() {
			if err := rows.Scan(&raw[0], &raw[1], &raw[2], &raw[3]); err != nil {
				return 0, err
			}
			n++
		}
		return n, rows.Err()
	}
}

func drainCSV(path string) func(context.Context) (int, error) {
	return func(context.Context) (n int, err error) {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		r := csv.NewReader(f)
		r.ReuseRecord = true
		for {
			_, err := r.Read()
			if err == io.EOF {
				return n - 1, nil // without the header
			}
			if err != nil {
				return 0, err
			}
			n++
		}
	}
}
