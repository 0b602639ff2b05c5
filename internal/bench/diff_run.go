package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"owlatsync"
	"owlatsync/internal/bench/made"
	"owlatsync/owlat/owlattest"
)

// diffBench is what the races share.
type diffBench struct {
	diffData
	program  string
	emulator *owlattest.Server
	http     *httptest.Server
	key      string
}

// diffRun is how the program is run for one race.
type diffRun struct {
	ledger string
	dsn    string
	table  string // empty for a file, which has no query
	memory bool   // its peak memory is measured too
}

// build makes the program as a release is made, and an emulator that it would send its requests to.
func (b *diffBench) build(ctx context.Context) error {
	var err error
	if b.program, _, err = made.Programs(ctx, b.folder); err != nil {
		return err
	}
	b.emulator = &owlattest.Server{}
	b.key = b.emulator.AddKey()
	b.http = httptest.NewServer(b.emulator)
	b.cleanUp = append(b.cleanUp, func() error { b.http.Close(); return nil })
	return nil
}

// runOnce runs the program and checks that it found every row unchanged. watch is given the process when it has begun.
func (b *diffBench) runOnce(ctx context.Context, r *race, watch func(pid int)) (took, cpu time.Duration, err error) {
	config := filepath.Join(b.folder, "owlat-sync.yaml")
	if err := os.WriteFile(config, b.config(r.run), 0o600); err != nil {
		return 0, 0, err
	}
	before := b.emulator.Stats().Total
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, b.program, "run", "--json", "--config", config)
	cmd.Env = append(os.Environ(), "DIFF_DSN="+r.run.dsn, "DIFF_KEY="+b.key)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	if watch != nil {
		watch(cmd.Process.Pid)
	}
	err = cmd.Wait()
	took = time.Since(start)
	if err != nil {
		return 0, 0, fmt.Errorf("owlat-sync run: %w\n%s", err, errOut.Bytes())
	}
	report, err := lastReport(out.Bytes())
	if err != nil {
		return 0, 0, err
	}
	if n := report.Outcomes[owlatsync.Unchanged]; report.Rows != r.rows || n != r.rows {
		return 0, 0, fmt.Errorf("the run found %d of %d rows unchanged, not %d", n, report.Rows, r.rows)
	}
	if sent := b.emulator.Stats().Total - before; sent != 0 || report.Requests.Total != 0 {
		return 0, 0, fmt.Errorf("the run sent %d requests and counted %d", sent, report.Requests.Total)
	}
	return took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// lastReport reads the report with which the output of "run --json" ends.
func lastReport(out []byte) (report owlatsync.Report, err error) {
	out = bytes.TrimSpace(out)
	if err := json.Unmarshal(out[bytes.LastIndexByte(out, '\n')+1:], &report); err != nil {
		return report, fmt.Errorf("read the report of the run: %w", err)
	}
	return report, nil
}

func (b *diffBench) config(run diffRun) []byte {
	query := ""
	if run.table != "" {
		query = "\n      query: " + fmt.Sprintf(diffQuery, run.table)
	}
	return fmt.Appendf(nil, `owlat:
  url: %s
  api_key: ${DIFF_KEY}
ledger: %s
syncs:
  users:
    source:
      dsn: ${DIFF_DSN}%s
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
`, b.http.URL, run.ledger, query)
}

// peakMemory returns the largest resident memory, in KB, of a run that is made only for that.
func (b *diffBench) peakMemory(ctx context.Context, r *race) (kb int64, err error) {
	var watched func() int64
	_, _, err = b.runOnce(ctx, r, func(pid int) { watched = made.WatchMemory(pid) })
	if watched != nil {
		kb = watched()
	}
	if err != nil {
		return 0, err
	}
	if kb == 0 {
		return 0, errors.New("the process's peak memory could not be read from /proc")
	}
	b.say("%s, %d rows: peak memory %d MB", r.name, r.rows, kb>>10)
	return kb, nil
}
