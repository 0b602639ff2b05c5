package serve

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// TestSeveralDeploymentsOnTwoNodes: each node shows all of them, and takes in what Owlat tells any; they come and go with the file.
func TestSeveralDeploymentsOnTwoNodes(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme", "bolt", "coil")
	dsn := testdb.Postgres(t) + "&schema=owlat_sync"
	configure := func(deployments ...string) {
		c.write("owlat-sync.yaml", "ledger: "+dsn+"\nserve: {listen: \"127.0.0.1:0\", stop_within: 10s}\ndeployments:\n"+strings.Join(deployments, ""))
	}
	configure(c.of("acme"), c.of("bolt"))
	a, b := c.begin(), c.begin()
	c.until("both first runs", func() bool { return c.member("acme@example.com") && c.member("bolt@example.com") })
	for _, n := range []*serving{a, b} {
		for _, name := range []string{"acme", "bolt"} {
			c.until("what each node tells of "+name, func() bool {
				_, s := n.call("GET", "/api/v1/deployments/"+name+"/syncs/users", "")
				return s["state"] == "healthy"
			})
		}
	}
	// What one node hears of one deployment is written back by whichever it is, and of that deployment alone.
	if _, err := c.server.AddWebhook("http://"+b.at.Listen+"/webhooks/owlat/bolt", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	if err := c.server.Unsubscribe("bolt@example.com", ""); err != nil {
		t.Fatal(err)
	}
	c.until("the write-back", func() bool {
		text, _ := os.ReadFile(filepath.Join(c.dir, "bolt.ndjson"))
		return strings.Contains(string(text), "bolt@example.com")
	})
	if _, err := os.Stat(filepath.Join(c.dir, "acme.ndjson")); err == nil {
		t.Error("something was written back for acme")
	}
	configure(c.of("acme"), c.of("coil"))
	for _, n := range []*serving{a, b} {
		n.reload <- struct{}{}
		n.until("the new deployment", func() bool {
			status, _ := n.call("GET", "/api/v1/deployments/coil/status", "")
			return status == http.StatusOK
		})
		n.until("that one is gone", func() bool {
			status, _ := n.call("GET", "/api/v1/deployments/bolt/status", "")
			return status == http.StatusNotFound
		})
	}
	c.until("the first run of the new one", func() bool { return c.member("coil@example.com") })
	a.end()
	c.write("acme.csv", "id,email,news\n1,acme@example.com,true\n2,eve@example.com,true\n")
	if status, answer := b.call("POST", "/api/v1/deployments/acme/syncs/users/runs", "{}"); status != http.StatusAccepted {
		t.Fatal(status, answer)
	}
	c.until("a run on the node that is left", func() bool { return c.member("eve@example.com") })
}
