package cluster

import (
	"slices"
	"time"

	"owlatsync/internal/cluster/crew"
)

// weigh lets homes go that others have room for, or whose place others wait for.
func (n lookout) weigh(waiting crew.Waiting) {
	excess, mine := n.crew.Weigh(waiting), n.crew.Mine()
	movable := slices.DeleteFunc(n.eldest(), func(h *held) bool { return !n.crew.HasRoom(h.name) })
	switch {
	case excess > 0 && len(movable) > 0:
		n.shed(movable, int(min(excess, max(mine/10, 1))))
	case n.crew.Crowded() && mine >= int64(n.o.Slots):
		n.rotate(int(max(waiting.Count/int64(n.crew.Others()+1), 1)))
	}
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
	if left > 0 || !n.crew.HasItsShare() {
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
