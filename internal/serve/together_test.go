package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"owlatsync/internal/cluster"
	"owlatsync/internal/errand"
	"owlatsync/internal/setup"
	"owlatsync/internal/testdb"
	"owlatsync/ledger/postgres"
	"owlatsync/owlat"
)

// shared puts the ledger of a house into a new database of PostgreSQL.
func (h *house) shared() {
	h.t.Helper()
	h.configure("syncs: → ledger: " + testdb.Postgres(h.t) + "&schema=owlat_sync\nsyncs:")
}

func TestANodeFromBeginToEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.shared()
	h.fromBeginToEnd()
}

func TestTwoNodesServeOneDeployment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.shared()
	a := h.begin()
	defer a.end()
	b := h.begin()
	defer b.end()
	// Its time has come, because it has never run: one of them makes the run.
	h.until("the first run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })
	h.write("users.csv", "id,email,news\n1,ann@example.com,true\n2,bob@example.com,true\n3,cid@example.com,true\n")
	status, answer := b.call("POST", "/api/v1/syncs/users/runs", "{}")
	if status != http.StatusAccepted {
		t.Fatal(status, answer)
	}
	run := answer["run"]
	for _, n := range []*serving{a, b} {
		h.until("the run has ended, as each node tells", func() bool {
			_, answer := n.call("GET", fmt.Sprintf("/api/v1/runs/%v", run), "")
			return answer["status"] == "ok"
		})
	}
	if !h.member("cid@example.com") {
		t.Error("the new row is not on the topic")
	}
}

// TestACommandBesideNodes has what a command sends sent by the node that has the budget.
func TestACommandBesideNodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.shared()
	a := h.begin()
	defer a.end()
	b := h.begin()
	defer b.end()
	h.until("the first run", func() bool { return h.member("bob@example.com") })
	set, err := h.load()
	if err != nil {
		t.Fatal(err)
	}
	opener := h.options().Opener
	asked := 0
	opener.Line = func(ctx context.Context, db *postgres.Database) (errand.Line, func(), error) {
		asked++
		e, err := cluster.Visit(db.Pool(), db.Schema(), db.Clock(), nil)
		return e, func() {}, err
	}
	out, err := setup.OpenOutside(t.Context(), opener, set.Deployments[0], "a test", false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := out.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "dan@example.com"})
	if err != nil || c.Email != "dan@example.com" || asked != 1 {
		t.Errorf("%+v, %v, %d lines", c, err, asked)
	}
	if _, err := out.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "dan@example.com"}); !errors.Is(err, owlat.ErrConflict) {
		t.Errorf("what Owlat refuses: %v", err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
}

func TestNodesAlertOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var mu sync.Mutex
	var told []string
	channel := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		told = append(told, string(text))
	}))
	defer channel.Close()
	h.configure("syncs: → ledger: "+testdb.Postgres(t)+"&schema=owlat_sync\nalerts: [{name: ours, webhook: {url: "+channel.URL+", secret: whsec_0123456789abcdef}}]\nsyncs:", "guards: {first_run: allow} → guards: {first_run: ask}")
	for range 2 {
		defer h.begin().end()
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(told)
	}
	h.until("an alert", func() bool { return count() > 0 })
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 1 || !strings.Contains(told[0], `"held"`) {
		t.Errorf("told %q", told)
	}
}

func TestNodesGoOverToAnotherConfiguration(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ledger := "syncs: → ledger: " + testdb.Postgres(t) + "&schema=owlat_sync\nsyncs:"
	h.configure(ledger)
	a := h.begin()
	defer a.end()
	b := h.begin()
	defer b.end()
	h.until("the first run", func() bool { return h.member("bob@example.com") })
	h.write("leads.csv", "id,email\n1,lea@example.com\n")
	h.configure(ledger, `  leads: {source: {dsn: "csv:leads.csv"}, key: id, fields: {email: email}, guards: {first_run: allow}}`)
	for _, n := range []*serving{a, b} { // whichever of them has the home
		n.reload <- struct{}{}
		h.until("the node knows the sync", func() bool {
			_, all := n.call("GET", "/api/v1/syncs", "")
			syncs, _ := all["syncs"].([]any)
			return len(syncs) == 2
		})
	}
	for _, n := range []*serving{a, b} {
		if status, answer := n.call("POST", "/api/v1/syncs/leads/runs", "{}"); status != http.StatusAccepted {
			t.Fatal(status, answer)
		}
	}
	h.until("the run of the new sync", func() bool { _, ok := h.server.Contact("lea@example.com"); return ok })
}

// TestEachNodeShowsHowFarARunIs, wherever it goes on.
func TestEachNodeShowsHowFarARunIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure("syncs: → ledger: "+testdb.Postgres(t)+"&schema=owlat_sync\nsyncs:", "requests_per_second: 1000 → requests_per_second: 20")
	h.write("users.csv", people(300))
	a := h.begin()
	defer a.end()
	b := h.begin()
	defer b.end()
	for _, n := range []*serving{a, b} {
		h.until("each node shows stage, counts and time left", func() bool {
			_, answer := n.call("GET", "/api/v1/runs/1", "")
			progress, _ := answer["progress"].(map[string]any)
			report, _ := answer["report"].(map[string]any)
			outcomes, _ := report["outcomes"].(map[string]any)
			created, _ := outcomes["created"].(float64)
			left, _ := progress["left_seconds"].(float64)
			return answer["stage"] == "applying" && created > 0 && progress["rows"] == 300.0 && left > 0
		})
	}
}

// people is the text of a source with so many rows.
func people(n int) string {
	var rows strings.Builder
	rows.WriteString("id,email,news\n")
	for i := range n {
		fmt.Fprintf(&rows, "%d,person%d@example.com,true\n", i, i)
	}
	return rows.String()
}

// TestANodeThatStopsHandsItsRunOn has a run that goes on at a node which stops end at the other.
func TestANodeThatStopsHandsItsRunOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure("syncs: → ledger: "+testdb.Postgres(t)+"&schema=owlat_sync\nsyncs:", "requests_per_second: 1000 → requests_per_second: 40")
	h.write("users.csv", people(200))
	a := h.begin()
	defer a.end()
	h.until("the run has begun", func() bool { return len(h.server.Contacts()) > 20 })
	b := h.begin()
	defer b.end()
	a.end()
	h.until("the other ends it", func() bool { return len(h.server.Contacts()) == 200 && h.member("person199@example.com") })
}
