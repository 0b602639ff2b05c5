package serve

import (
	"fmt"
	"net/http"
	"testing"

	"owlatsync/internal/testdb"
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
