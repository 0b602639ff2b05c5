package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/cluster/crew"
)

// alikeWithin is how long nodes may have other deployments than each other: their configuration is changed one after the other.
const alikeWithin = time.Minute

// alike compares what the nodes have in their configuration. When syncs are due is said by whoever leads, so that nobody may say it of a
// deployment that only some nodes know. It is safe for concurrent use.
type alike struct {
	mu    sync.Mutex
	mine  string
	since time.Time // another node has had another configuration since then; zero: none has
	told  bool
}

// printOf is a fingerprint of what nodes must know alike of deployments. It holds no secrets.
func printOf(all map[string]Deployment) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		fmt.Fprintf(sum, "%q %q %q %t\n", name, slices.Sorted(slices.Values(d.Syncs)), slices.Sorted(slices.Values(d.Targets)), d.Always)
		for _, e := range d.Timetable {
			fmt.Fprintf(sum, "%q %q\n", e.Sync, e.Schedule.String())
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

func (a *alike) set(all map[string]Deployment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mine = printOf(all)
}

func (a *alike) print() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mine
}

// compare returns the nodes with another configuration once that has lasted, and whether all have the same again after that was said.
func (a *alike) compare(nodes []crew.Node, now time.Time) (others []string, again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range nodes {
		if o.Print != "" && o.Print != a.mine { // an older program says nothing
			others = append(others, o.ID)
		}
	}
	switch {
	case len(others) == 0:
		again = a.told
		a.since, a.told = time.Time{}, false
	case a.since.IsZero():
		a.since = now
	}
	if len(others) == 0 || a.told || now.Sub(a.since) < alikeWithin {
		return nil, again
	}
	a.told = true
	return others, false
}

// compare says if nodes have other configurations than this one for long.
func (n lookout) compare(nodes []crew.Node) {
	others, again := n.alike.compare(nodes, time.Now())
	if len(others) > 0 {
		n.log.Warn("other nodes have other deployments, syncs or schedules in their configuration: what only some know runs late, or not at all, by its schedule",
			"nodes", others, "hint", "give all nodes the same configuration, and send them SIGHUP")
	}
	if again {
		n.log.Info("all nodes have the same deployments, syncs and schedules again")
	}
}
