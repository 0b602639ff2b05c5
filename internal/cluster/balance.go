package cluster

import (
	"slices"
	"time"
)

// waiting is what waits for a home.
type waiting struct {
	count int64
	first []string // names some of the deployments, those that have waited for longest
}

// weigh works out the share of each node, and lets homes go that others have room for.
func (n lookout) weigh(nodes []node, waiting waiting) {
	homes := waiting.count
	for _, o := range nodes {
		homes += o.Homes
	}
	count := int64(max(len(nodes), 1))
	share := max((homes+count-1)/count, 1)
	mine := n.crew.mine.Load()
	crowded := slices.ContainsFunc(waiting.first, func(d string) bool { return n.fullFor(nodes, d) })
	n.crew.crowded.Store(crowded)
	if n.crew.share.Store(share); count == 1 {
		n.crew.share.Store(0)
	}
	movable := slices.DeleteFunc(n.eldest(), func(h *held) bool {
		here := n.fit(node{ID: n.o.ID}, h.name)
		return !slices.ContainsFunc(nodes, func(o node) bool {
			return o.ID != n.o.ID && o.Homes+1 < mine && o.Homes < o.Slots && n.fit(o, h.name) >= here
		})
	})
	switch {
	case count > 1 && len(movable) > 0 && mine > share:
		n.shed(movable, int(min(mine-share, max(mine/10, 1))))
	case crowded && mine >= int64(n.o.Slots):
		n.rotate(int(max(waiting.count/count, 1)))
	}
}

// fullFor reports whether all nodes at which the deployment is best off are full.
func (n lookout) fullFor(nodes []node, deployment string) bool {
	return !slices.ContainsFunc(n.fittest(nodes, deployment), func(p node) bool { return p.Homes < p.Slots })
}

// shed lets go of homes for which others have room: of those that have nothing to do, or else, if there are clearly too many here, of those
// that have had their place for a while.
func (n lookout) shed(all []*held, most int) {
	left := 0
	for _, h := range all {
		if left < most && !h.Idle().IsZero() {
			h.letGo(hasRoom)
			left++
		}
	}
	if left > 0 || !n.crew.hasItsShare() {
		return
	}
	for _, h := range all[:min(len(all), max(most/2, 1))] {
		if time.Since(h.since) >= n.o.Linger/2 {
			h.letGo(hasRoom)
		}
	}
}

// rotate lets go of homes that have had their place for long, busy or not, because others wait for one.
func (n lookout) rotate(most int) {
	for _, h := range n.eldest() {
		if most == 0 || time.Since(h.since) < atLeast {
			return
		}
		h.letGo(othersToo)
		most--
	}
}

// eldest returns the homes here, the one that came first first.
func (n lookout) eldest() (all []*held) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.homes {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *held) int { return a.since.Compare(b.since) })
	return all
}
