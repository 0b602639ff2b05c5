package render

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/internal/bar"
	"owlatsync/internal/words"
)

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
	add("values kept", false, func(r *owlatsync.Report) int { return r.Kept })
	add("topics added", false, func(r *owlatsync.Report) int { return r.Memberships.Added })
	add("  to be confirmed", false, func(r *owlatsync.Report) int { return r.Memberships.Pending })
	add("topics removed", false, func(r *owlatsync.Report) int { return r.Memberships.Removed })
	add("opted out of everything", false, func(r *owlatsync.Report) int { return r.Memberships.OptedOut })
	add("topics left as is", false, func(r *owlatsync.Report) int { return r.Memberships.Skipped })
	add("consents unclear", false, func(r *owlatsync.Report) int { return r.Memberships.Unclear })
	add("events sent", false, func(r *owlatsync.Report) int { return r.Events.Sent })
	add("events unknown", false, func(r *owlatsync.Report) int { return r.Events.Unknown })
	add("events left out", false, func(r *owlatsync.Report) int { return r.Events.LeftOut })
	add("requests", true, func(r *owlatsync.Report) int { return r.Requests.Total })
	add("  writes", false, func(r *owlatsync.Report) int { return r.Requests.Writes })
	add("  rate-limited", false, func(r *owlatsync.Report) int { return r.Requests.RateLimited })
	lines = append(lines, times)
	return words.AlignRight(lines)
}

// took returns a duration for a column of a table.
func took(d time.Duration) string {
	if d < time.Second {
		return "<1s"
	}
	return bar.Duration(d)
}
