// Package prometheus checks what Prometheus and Grafana are given: with Prometheus' own tool, and against the metrics that the program
// has.
package prometheus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

const (
	dashboardFile = "../grafana/owlat-sync.json"
	pageFile      = "../../docs/watching.md"
)

// promtool runs Prometheus' tool in this folder.
func promtool(t *testing.T, stdin []byte, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing (Debian package prometheus)")
		}
		t.Skip("promtool is missing (Debian package prometheus)")
	}
	cmd := exec.Command("promtool", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPrometheusTakesTheFiles(t *testing.T) {
	t.Parallel()
	promtool(t, nil, "check", "rules", "alerts.yaml")
	promtool(t, nil, "check", "config", "prometheus.yaml")
	promtool(t, nil, "test", "rules", "alerts_test.yaml")
}

// scrape returns what a service that has done everything shows.
func scrape(t *testing.T) string {
	t.Helper()
	m := telemetry.NewMetrics("v1")
	m.Know("users")
	client, err := owlat.NewClient("https://owlat.example", "lm_live_0123456789abcdefghijABCDEFGHIJ0123456789")
	if err != nil {
		t.Fatal(err)
	}
	l, now := memory.New(), time.Now()
	_, err = l.TakeIn(t.Context(), ledger.News{
		Feedback:   ledger.Feedback{Event: "topic.unsubscribed", ContactID: "c", At: now, Received: now},
		Deliveries: []ledger.Delivery{{Target: "unsub", Person: "c", Due: now}},
	})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	run := ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: now}
	if run.ID, err = lock.BeginRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := lock.KeepRound(t.Context(), ledger.Round{Began: now, Ended: now}); err != nil {
		t.Fatal(err)
	}
	run.Status, run.Finished = ledger.StatusOK, now
	if err := errors.Join(lock.EndRun(t.Context(), ledger.Ending{Run: run}), lock.Release()); err != nil {
		t.Fatal(err)
	}
	m.Watch(vitals.NewReader(l, []config.Sync{{Name: "users"}}, now), client)
	about := progress.About{Sync: "users", Run: 1}
	m.Observe(progress.Started{About: about})
	m.Observe(progress.Ended{About: about, Status: ledger.StatusOK, Report: owlatsync.NewReport("users", "1")})
	m.Attempt(owlat.Attempt{Method: "POST", Route: "/contacts", Status: 201})
	m.Feedback("topic.unsubscribed", 1)
	m.WriteBack("unsub", nil, false)
	m.Alert("team", nil)
	m.Astray("unknown")
	m.Clock(func() time.Duration { return time.Second })
	rec := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	return rec.Body.String()
}

var (
	typeLine = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	ownName  = regexp.MustCompile(`\bowlat_sync_[a-z_]+`)
)

// metrics returns the type of each metric of the program by its name.
func metrics(t *testing.T) map[string]string {
	t.Helper()
	types := make(map[string]string)
	for _, line := range typeLine.FindAllStringSubmatch(scrape(t), -1) {
		types[line[1]] = line[2]
	}
	if len(types) < 20 || types["owlat_sync_runs_total"] != "counter" {
		t.Fatalf("the scrape has %v", types)
	}
	return types
}

// TestPrometheusTakesTheMetrics looks at their names, types and help as Prometheus advises.
func TestPrometheusTakesTheMetrics(t *testing.T) {
	t.Parallel()
	promtool(t, []byte(scrape(t)), "check", "metrics")
}

// unknown lists metrics in a text that the program does not have.
func unknown(types map[string]string, text string) (names []string) {
	for _, name := range ownName.FindAllString(text, -1) {
		base := name
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			if cut, ok := strings.CutSuffix(name, end); ok && types[cut] == "histogram" {
				base = cut
			}
		}
		if types[base] == "" {
			names = append(names, name)
		}
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFilesNameMetricsThatAreThere also finds each alert in the tests of the rules, and each metric in the documents.
func TestFilesNameMetricsThatAreThere(t *testing.T) {
	t.Parallel()
	types := metrics(t)
	for _, name := range []string{"alerts.yaml", "alerts_test.yaml", dashboardFile, pageFile} {
		if names := unknown(types, read(t, name)); len(names) > 0 {
			t.Errorf("%s names %q, which the program does not have", name, names)
		}
	}
	if names := unknown(types, "owlat_sync_nothing owlat_sync_running_count owlat_sync_run_duration_seconds_bucket"); len(names) != 2 {
		t.Errorf("of three names, %q are unknown", names)
	}
	page := read(t, pageFile)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if strings.HasPrefix(name, "owlat_sync_") && !strings.Contains(page, "| `"+name) {
			t.Errorf("%s has no row about %s", pageFile, name)
		}
	}
	tests := read(t, "alerts_test.yaml")
	for _, name := range alertNames(t) {
		if !strings.Contains(tests, "alertname: "+name+"\n") {
			t.Errorf("no test shows %s", name)
		}
	}
}

// rules is a file of rules.
type rules struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Alert  string `yaml:"alert,omitempty"`
	Record string `yaml:"record,omitempty"`
	Expr   string `yaml:"expr"`
}

func alertNames(t *testing.T) (names []string) {
	t.Helper()
	var file rules
	if err := yaml.Unmarshal([]byte(read(t, "alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			names = append(names, r.Alert)
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %q", names)
	}
	return names
}

// dashboard is what is checked of one of Grafana's.
type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct{ Name string }
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Datasource  struct{ UID string }
	Targets     []struct {
		Expr       string
		RefID      string
		Datasource struct{ UID string }
	}
}

var variable = regexp.MustCompile(`\$\{?([a-z_]+)\}?`)

// TestTheDashboardLoads checks what Grafana would show as broken panels: it has no tool to ask.
func TestTheDashboardLoads(t *testing.T) {
	t.Parallel()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &d); err != nil {
		t.Fatal(err)
	}
	known := []string{"__rate_interval"}
	for _, v := range d.Templating.List {
		known = append(known, v.Name)
	}
	ids := make(map[int]bool)
	taken := make(map[[2]int]string)
	var file rules
	file.Groups = []group{{Name: "panels"}}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q has no number or title of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Description == "" || p.Datasource.UID != "${datasource}" {
			t.Errorf("panel %q shows nothing, says nothing, or is tied to a data source", p.Title)
		}
		for _, target := range p.Targets {
			for _, used := range variable.FindAllStringSubmatch(target.Expr+target.Datasource.UID, -1) {
				if !slices.Contains(known, used[1]) {
					t.Errorf("panel %q uses the variable %q, which is not there", p.Title, used[1])
				}
			}
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			record := fmt.Sprintf("panel:expression_%d", len(file.Groups[0].Rules))
			file.Groups[0].Rules = append(file.Groups[0].Rules, rule{Record: record, Expr: expr})
		}
	}
	if d.UID == "" || d.Title == "" || len(file.Groups[0].Rules) < 20 {
		t.Errorf("the dashboard %q has %d expressions", d.UID, len(file.Groups[0].Rules))
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "rules", name) // it parses each expression
}
