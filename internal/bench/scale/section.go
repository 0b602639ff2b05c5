package scale

import (
	"cmp"
	"fmt"
	"slices"

	"owlatsync/internal/bench/findings"
)

func (r result) section(size Size) findings.Section {
	s := findings.Section{
		Title: "Many deployments on several nodes",
		Intro: fmt.Sprintf(intro, findings.Count(size.Deployments), findings.Count(size.Contacts), size.Syncs, findings.Count(size.Each), size.Nodes, size.Every, LongName, findings.Count(Long.Contacts)),
	}
	s.Tables = []findings.Table{r.loads(), r.spread(), r.waiting(), r.room(), r.hot()}
	s.Goals = []findings.Goal{
		evenGoal("homes", r.uneven(func(s share) float64 { return s.Homes })),
		// The deployment with many syncs is in one place, and its runs are that node's, however even the rest is.
		evenGoal(fmt.Sprintf("runs of the %d deployments", size.Deployments), r.uneven(func(s share) float64 { return float64(s.Single) })),
		waitGoal(fmt.Sprintf("one sync of each of %d deployments", size.Deployments), r.Single), waitGoal(fmt.Sprintf("%d syncs of one deployment", size.Syncs), r.Many),
	}
	return s
}

func evenGoal(what string, times float64) findings.Goal {
	return findings.Goal{What: "Several nodes: " + what + " at the busiest, beside the mean", Want: fmt.Sprintf("at most %.2f times", spreadWanted), Got: fmt.Sprintf("%.2f times", times), Missed: times > spreadWanted}
}

func waitGoal(what string, w waits) findings.Goal {
	return findings.Goal{
		What: "Several nodes: longest wait of " + what + ", beside its fair share", Want: fmt.Sprintf("at most %.1f times", waitWanted),
		Got: fmt.Sprintf("%.2f times", w.Times()), Missed: w.Times() > waitWanted || w.Fewest == 0,
	}
}

// uneven is what the busiest node had over the mean.
func (r result) uneven(of func(share) float64) float64 {
	var sum, most float64
	for _, s := range r.Spread {
		sum, most = sum+of(s), max(most, of(s))
	}
	if sum == 0 {
		return float64(len(r.Spread))
	}
	return most * float64(len(r.Spread)) / sum
}

func (r result) loads() findings.Table {
	t := findings.Table{Columns: []string{"a second, in PostgreSQL", "idle", "at home", "busy"}}
	for _, row := range []struct {
		label string
		of    func(load) float64
	}{
		{"transactions", func(l load) float64 { return l.Transactions }},
		{"transactions that write", func(l load) float64 { return l.Numbers }},
		{"statements", func(l load) float64 { return l.Statements }},
		{"rows written", func(l load) float64 { return l.Written }},
		{"kB of WAL", func(l load) float64 { return l.WAL / 1e3 }},
		{"seconds in statements, of all connections", func(l load) float64 { return l.Working }},
		{"seconds of processors", func(l load) float64 { return l.Server }},
		{"seconds of processors, of all nodes", func(l load) float64 { return l.Programs }},
		{"homes", func(l load) float64 { return l.Homes }},
		{"connections of a node to the ledger, at most", func(l load) float64 { return l.most(func(n nodeLoad) float64 { return float64(n.Connections) }) }},
		{"MB of memory of a node, at most", func(l load) float64 { return l.most(func(n nodeLoad) float64 { return float64(n.Memory) / 1024 }) }},
	} {
		t.Rows = append(t.Rows, []string{row.label, figure(row.of(r.Idle)), figure(row.of(r.Home)), figure(row.of(r.Busy))})
	}
	return t
}

func figure(v float64) string { return findings.Figure(v) }

func (r result) spread() findings.Table {
	t := findings.Table{Columns: []string{"busy", "homes, on average", "runs", "of deployments with one sync", "requests"}}
	for i, s := range r.Spread {
		t.Rows = append(t.Rows, []string{fmt.Sprint("node ", i+1), fmt.Sprintf("%.1f", s.Homes), findings.Count(s.Runs), findings.Count(s.Single), findings.Count(s.Requests)})
	}
	return t
}

func (r result) waiting() findings.Table {
	t := findings.Table{Columns: []string{"waits", "runs", "runs of one sync", "median run", "median wait", "longest wait", "fair share"}}
	for _, w := range []struct {
		label string
		waits
	}{{fmt.Sprintf("%d deployments", r.Single.Syncs), r.Single}, {fmt.Sprintf("%d syncs of one", r.Many.Syncs), r.Many}, {fmt.Sprintf("all %d syncs", r.All.Syncs), r.All}} {
		t.Rows = append(t.Rows, []string{w.label, findings.Count(w.Runs), fmt.Sprintf("%d to %d", w.Fewest, w.Most), findings.Span(w.Run), findings.Span(w.Median), findings.Span(w.Worst), findings.Span(w.Fair)})
	}
	return t
}

func (r result) room() findings.Table {
	t := findings.Table{Columns: []string{"room, with " + findings.Count(r.Entries) + " contacts", "table", "indexes", "bytes for a contact"}}
	for _, s := range r.Sizes {
		t.Rows = append(t.Rows, []string{"`" + s.Name + "`", megabytes(s.Table), megabytes(s.Indexes), fmt.Sprint((s.Table + s.Indexes) / int64(r.Entries))})
	}
	return t
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// hottest is how many tables are shown.
const hottest = 8

func (r result) hot() findings.Table {
	t := findings.Table{Columns: []string{"busy, tables that change most", "rows inserted", "updated", "of them HOT", "deleted", "dead at the end", "autovacuums"}}
	all := slices.SortedFunc(slices.Values(r.Busy.Tables), func(a, b tableLoad) int {
		return cmp.Compare(b.Inserted+b.Updated+b.Deleted, a.Inserted+a.Updated+a.Deleted)
	})
	for _, l := range all[:min(len(all), hottest)] {
		hot := ""
		if l.Updated > 0 {
			hot = fmt.Sprintf("%.0f %%", 100*float64(l.Hot)/float64(l.Updated))
		}
		t.Rows = append(t.Rows, []string{"`" + l.Name + "`", count(l.Inserted), count(l.Updated), hot, count(l.Deleted), count(l.Dead), count(l.Vacuumed)})
	}
	return t
}

func count(n int64) string { return findings.Count(int(n)) }
