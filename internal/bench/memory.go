package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"owlatsync"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/owlat/owlattest"
)

const (
	applyFewRows  = 20_000
	applyManyRows = 100_000
	planFewRows   = 20_000
	planManyRows  = 10 * planFewRows
)

// applyMemory runs the program for two numbers of contacts, and returns by how much its peak memory grows.
func applyMemory(ctx context.Context, log io.Writer) (t findings.Table, growth float64, err error) {
	t.Columns = []string{"contacts created by the program", "seconds", "contacts a second", "peak memory"}
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return t, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, _, err := made.Programs(ctx, folder)
	if err != nil {
		return t, 0, err
	}
	var peaks []int64
	for _, n := range []int{applyFewRows, applyManyRows} {
		took, peak, err := applyProgram(ctx, folder, program, n)
		if err != nil {
			return t, 0, fmt.Errorf("the program with %d rows: %w", n, err)
		}
		peaks = append(peaks, peak)
		t.Rows = append(t.Rows, []string{findings.Count(n), findings.Seconds(took), findings.Count(int(float64(n) / took.Seconds())), fmt.Sprintf("%d MB", peak>>10)})
		fmt.Fprintf(log, "the program: %d contacts in %.2f s, peak memory %d MB\n", n, took.Seconds(), peak>>10)
	}
	return t, float64(peaks[1]) / float64(peaks[0]), nil
}

func applyProgram(ctx context.Context, folder, program string, n int) (took time.Duration, peak int64, err error) {
	work, err := os.MkdirTemp(folder, "run-")
	if err != nil {
		return 0, 0, err
	}
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	var people bytes.Buffer
	people.WriteString("id,email,first_name\n")
	for i, u := range made.Users(n) {
		fmt.Fprintf(&people, "%d,%s,%s\n", i, u.Email, u.FirstName)
	}
	config := `owlat: {requests_per_second: 100000}
syncs:
  users:
    source: {dsn: "csv:people.csv"}
    key: id
    fields: {email: email, firstName: first_name}
`
	if err := errors.Join(os.WriteFile(filepath.Join(work, "people.csv"), people.Bytes(), 0o600),
		os.WriteFile(filepath.Join(work, "owlat-sync.yaml"), []byte(config), 0o600)); err != nil {
		return 0, 0, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "run", "--yes", "--json")
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, &out, &errOut
	cmd.Env = append(os.Environ(), "OWLAT_URL="+listener.URL, "OWLAT_API_KEY="+server.AddKey())
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	watched := made.WatchMemory(cmd.Process.Pid)
	err = cmd.Wait()
	took, peak = time.Since(start), watched()
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, errOut.Bytes())
	}
	report, err := lastReport(out.Bytes())
	if err != nil {
		return 0, 0, err
	}
	if made := report.Outcomes[owlatsync.Created]; made != n || server.Len() != n {
		return 0, 0, fmt.Errorf("the run created %d contacts and the emulator has %d, not %d", made, server.Len(), n)
	}
	return took, peak, nil
}

// planned are the changes that the memory of a plan is measured for: each is the row as the source has it now.
var planned = []struct {
	name   string
	change func(*owlatsync.Row)
	as     owlatsync.Outcome
}{
	{"another address", func(p *owlatsync.Row) { p.Email.Value = "new-" + p.Email.Value }, owlatsync.Renamed},
	{"another name", func(p *owlatsync.Row) {
		p.Fields[owlatsync.FirstName].Value = "New" + p.Fields[owlatsync.FirstName].Value
	}, owlatsync.Updated},
	{"another person", func(p *owlatsync.Row) { p.Key, p.Email.Value = "new-"+p.Key, "new-"+p.Email.Value }, owlatsync.Created},
}

// planMemory has the program plan changes to few and to many rows of a table, and returns by how much its peak memory grows
// at most.
func planMemory(ctx context.Context, log io.Writer) (t findings.Table, growth float64, err error) {
	t.Columns = []string{"what changed", "rows", "peak memory", "rows", "peak memory"}
	b := &diffBench{diffData: diffData{log: log}}
	if b.folder, err = os.MkdirTemp("", "owlat-sync-bench-"); err != nil {
		return t, 0, err
	}
	b.cleanUp = append(b.cleanUp, func() error { return os.RemoveAll(b.folder) })
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.build(ctx); err != nil {
		return t, 0, err
	}
	ledger, err := b.makeLedger(ctx, "ledger.db", planManyRows)
	if err != nil {
		return t, 0, err
	}
	for _, kind := range planned {
		row, peaks := []string{kind.name}, []int64{}
		for _, n := range []int{planFewRows, planManyRows} {
			file := filepath.Join(b.folder, "people.csv")
			if err := writePeople(file, n, kind.change); err != nil {
				return t, 0, err
			}
			peak, err := b.planOnce(ctx, diffRun{ledger: ledger, dsn: "csv:" + file}, kind.as, n)
			if err != nil {
				return t, 0, fmt.Errorf("%s, %d rows: %w", kind.name, n, err)
			}
			fmt.Fprintf(log, "a plan of %d rows with %s: peak memory %d MB\n", n, kind.name, peak>>10)
			row, peaks = append(row, findings.Count(n), fmt.Sprintf("%d MB", peak>>10)), append(peaks, peak)
		}
		t.Rows = append(t.Rows, row)
		growth = max(growth, float64(peaks[1])/float64(peaks[0]))
	}
	return t, growth, nil
}

// writePeople writes people 1 to planManyRows, of whom the first changed.
func writePeople(file string, changed int, change func(*owlatsync.Row)) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,email,first_name,last_name")
	for i := range planManyRows {
		p := person(int64(i + 1))
		if i < changed {
			change(&p)
		}
		fmt.Fprintf(w, "%s,%s,%s,%s\n", p.Key, p.Email.Value, p.Fields[owlatsync.FirstName].Value, p.Fields[owlatsync.LastName].Value)
	}
	return w.Flush()
}

// planOnce has the program make a plan, checks what is in it, and returns its peak memory in KB.
func (b *diffBench) planOnce(ctx context.Context, run diffRun, as owlatsync.Outcome, changed int) (peak int64, err error) {
	config := filepath.Join(b.folder, "owlat-sync.yaml")
	if err := os.WriteFile(config, b.config(run), 0o600); err != nil {
		return 0, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, b.program, "plan", "--json", "--summary", "--config", config)
	cmd.Env = append(os.Environ(), "DIFF_DSN="+run.dsn, "DIFF_KEY="+b.key)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	watched := made.WatchMemory(cmd.Process.Pid)
	err = cmd.Wait()
	peak = watched()
	if err != nil {
		return 0, fmt.Errorf("owlat-sync plan: %w\n%s", err, errOut.Bytes())
	}
	var plan struct{ Outcomes map[owlatsync.Outcome]int }
	if err := json.Unmarshal(out.Bytes(), &plan); err != nil {
		return 0, fmt.Errorf("read the plan: %w", err)
	}
	if n, rest := plan.Outcomes[as], plan.Outcomes[owlatsync.Unchanged]; n != changed || rest != planManyRows-changed {
		return 0, fmt.Errorf("the plan has %d rows %s and %d unchanged, not %d and %d", n, as, rest, changed, planManyRows-changed)
	}
	return peak, nil
}
