package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"owlatsync"
	"owlatsync/internal/progress"
)

// A run that met the rate limit so often, and with more than one in so many requests, says so.
const notedRefusals, notedShare = 10, 20

// printEnd prints the rows that were not applied and the summary table.
func (r *runner) printEnd(a *app) {
	if a.json {
		return
	}
	if len(r.reports) == 0 {
		if r.failures != nil && len(r.shown)+r.left > 0 {
			a.printf("Not applied, written to %s, with addresses: %s\n", r.failures.path, plural(len(r.shown)+r.hidden+r.left, "row"))
		}
		return
	}
	if len(r.shown) > 0 || r.failures != nil && r.left > 0 {
		a.printf("Not applied:\n")
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, s := range r.shown {
			_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", s.sync, s.label, s.outcome, s.reason)
		}
		_ = w.Flush()
		switch {
		case r.failures != nil:
			a.printf("  written to %s, with addresses: %s\n", r.failures.path, plural(len(r.shown)+r.hidden+r.left, "row"))
		case r.hidden > 0:
			a.printf("  and %d more; \"owlat-sync run --failures FILE\" writes all to a file\n", r.hidden)
		}
		a.printf("\n")
	}
	a.printf("%s", summaryTable(r.reports))
	for _, words := range r.readings {
		a.printf("%s\n", words)
	}
	if r.twins > 0 {
		a.printf("\nOwlat has several contacts for %s; the oldest counts, and \"owlat-sync verify\" lists them.\n", several(r.twins, "address", "addresses"))
	}
	if r.unasked > 0 {
		a.printf("\n%s skipped because --only or --limit asked for others.\n", several(r.unasked, "row was", "rows were"))
	}
	if r.left > 0 {
		a.printf("\n%s left when the run ended; the next run takes them up.\n", several(r.left, "row was", "rows were"))
	}
	failed, limited, requests := 0, 0, 0
	for _, report := range r.reports {
		failed += report.Outcomes[owlatsync.Failed]
		limited += report.Requests.RateLimited
		requests += report.Requests.Total
	}
	if limited >= notedRefusals && limited*notedShare > requests {
		a.printf("\n%d of %d requests were refused (429): something else seems to use this API key. Give it a key of its own, or set\n"+
			"\"requests_per_second\" to a part of the limit.\n", limited, requests)
	}
	if failed > 0 {
		a.printf("\n%s failed; what can pass later is tried again by the next runs. \"owlat-sync failures\" lists them.\n", plural(failed, "row"))
	}
}

// summaryTable shows the reports side by side, a line for each number that is not 0 everywhere.
func summaryTable(reports []*owlatsync.Report) string {
	var lines [][]string
	add := func(name string, always bool, value func(*owlatsync.Report) int) {
		line := []string{name}
		for _, r := range reports {
			n := value(r)
			always = always || n != 0
			line = append(line, fmt.Sprint(n))
		}
		if always {
			lines = append(lines, line)
		}
	}
	head, times := []string{""}, []string{"time"}
	for _, r := range reports {
		head = append(head, r.Sync)
		times = append(times, took(time.Duration(r.Seconds*float64(time.Second))))
	}
	lines = append(lines, head)
	add("rows", true, func(r *owlatsync.Report) int { return r.Rows })
	for _, o := range owlatsync.Outcomes {
		always := o == owlatsync.Created || o == owlatsync.Updated || o == owlatsync.Unchanged || o == owlatsync.Failed
		add("  "+string(o), always, func(r *owlatsync.Report) int { return r.Outcomes[o] })
	}
	add("topics added", false, func(r *owlatsync.Report) int { return r.Memberships.Added })
	add("topics removed", false, func(r *owlatsync.Report) int { return r.Memberships.Removed })
	add("topics left as is", false, func(r *owlatsync.Report) int { return r.Memberships.Skipped })
	add("requests", true, func(r *owlatsync.Report) int { return r.Requests.Total })
	add("  writes", false, func(r *owlatsync.Report) int { return r.Requests.Writes })
	add("  rate-limited", false, func(r *owlatsync.Report) int { return r.Requests.RateLimited })
	lines = append(lines, times)
	return alignRight(lines)
}

// took is how long something took, for a column of a table.
func took(d time.Duration) string {
	if d < time.Second {
		return "<1s"
	}
	return progress.Duration(d)
}

// alignRight lays out a table whose first column is aligned left and the others right.
func alignRight(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%-*s", widths[0], line[0])
		for i, cell := range line[1:] {
			fmt.Fprintf(&b, "  %*s", max(widths[i+1], 6), cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// failureColumns head the file of --failures.
var failureColumns = []string{"sync", "key", "position", "email", "outcome", "category", "reason"}
