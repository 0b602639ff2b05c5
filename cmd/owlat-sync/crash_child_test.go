package main

import (
	"context"
	"database/sql"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"modernc.org/sqlite"

	"owlatsync/internal/sqltap"
)

// crashingProgram is the name under which the test binary is the program that kills itself at a commit of the ledger.
const crashingProgram = "owlat-sync-crashing"

// crashVariable tells crashMain to kill itself before or after the n-th commit, as in "before 7".
const crashVariable = "OWLAT_SYNC_CRASH"

// crashMain is main with a tap in the ledger's driver. It writes a byte to the file 3 after each commit.
func crashMain() {
	told := os.NewFile(3, "commits")
	when, number, _ := strings.Cut(os.Getenv(crashVariable), " ")
	at, _ := strconv.ParseInt(number, 10, 64) // 0 is no commit's number
	var commits atomic.Int64
	sqliteDriver = "sqlite-crashing"
	sql.Register(sqliteDriver, sqltap.Driver(new(sqlite.Driver), func(string) sqltap.Tap {
		return func(query string, run func() error) error {
			if query != "COMMIT" {
				return run()
			}
			here := commits.Add(1) == at
			if here && when == "before" {
				killSelf()
			}
			err := run()
			if here && when == "after" {
				killSelf()
			}
			_, _ = told.Write([]byte{0})
			return err
		}
	}))
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

func killSelf() {
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // the other threads may live a moment longer, this one does nothing more
}
