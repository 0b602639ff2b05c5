package glance

import (
	"cmp"
	"fmt"
	"slices"

	"owlatsync/internal/api"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// Need is something that waits for a person.
type Need struct {
	Sync, What, Do string
	Page, Link     string // where it is done, below the addresses of the deployment, and what leads there; empty: nowhere
	Command, Or    string // commands that do it, too: the one or the other; empty: none
	Rank           int    // what comes first has a smaller one
}

// The ranks of what waits for a person. What is of no sync has none, and comes last.
const (
	rankHeld = iota - 5
	rankAsked
	rankSync
	rankFails
	rankUnsendable
)

// Sort puts what waits for a person in order: held runs of all syncs first.
func Sort(all []Need) {
	slices.SortStableFunc(all, func(a, b Need) int { return cmp.Compare(a.Rank, b.Rank) })
}

// Needs returns what of a sync waits for a person. Typed says how commands are typed.
func Needs(typed words.Typed, s api.SyncState) (all []Need) {
	name := s.Sync.Sync.Name
	command := func(command string) string { return typed.Command(command, "") }
	for _, r := range s.Held {
		if slices.Contains(s.Approved, r.ID) {
			continue // somebody has decided
		}
		n := Need{Sync: name, What: fmt.Sprintf("Run %d is %s.", r.ID, telling.Straight(r.Message)), Do: "Look at its plan. Approve it if that is what you want, or dismiss it.",
			Page: fmt.Sprintf("/runs/%d", r.ID), Link: fmt.Sprintf("Look at run %d", r.ID), Command: command(fmt.Sprintf("approve %d", r.ID)), Or: command(fmt.Sprintf("dismiss %d", r.ID)), Rank: rankHeld}
		if r.Mode == ledger.ModeReview {
			n.What = fmt.Sprintf("A plan waits for you: somebody asked run %d to show what it would do.", r.ID)
			n.Do = "Look at it, and approve or dismiss it. The next run takes its place."
			n.Rank = rankAsked
		}
		if r.Refused != nil {
			n.Do, n.Command = fmt.Sprintf("It can no longer be approved (%s). Dismiss it, or press “Run now” on the page of the sync for a new plan.", telling.Straight(r.Refused.Error())), ""
		}
		all = append(all, n)
	}
	switch s.State {
	case api.Failing:
		n := Need{Sync: name, What: telling.Sentence(s.Why), Do: "Look for the cause; the log of the service has more. The next run tries again.", Rank: rankSync}
		if len(s.Runs) > 0 && !s.Runs[0].Finished.IsZero() {
			n.Page, n.Link = fmt.Sprintf("/runs/%d", s.Runs[0].ID), fmt.Sprintf("Look at run %d", s.Runs[0].ID)
		}
		all = append(all, n)
	case api.Stale:
		all = append(all, Need{Sync: name, What: "It is stale: " + telling.Straight(why(s)) + ".", Do: "Look whether its runs fail, are held, or are never due.", Rank: rankSync})
	}
	if n := s.Rows.Failing; n > 0 {
		need := Need{Sync: name, What: counted(n, "row fails.", "rows fail."), Do: "See why, and when they are tried again: not every run does.", Page: "/failures", Link: "See the failures", Command: command("failures"), Rank: rankFails}
		switch parked := min(s.Rows.Parked, n); {
		case parked == n && n == 1:
			need.Do = "It failed so often that it is not tried again until it changes. See why, and set it right or try it once more."
		case parked == n:
			need.Do = "They failed so often that they are not tried again until they change. See why, and set them right or try them once more."
		case n == 1:
			need.Do = "See why, and when it is tried again: not every run does."
		case parked > 0:
			need.Do = counted(parked, "of them has", "of them have") + " failed so often that no run tries again. See why, and set the rows right or try them once more."
		}
		all = append(all, need)
	}
	if n := s.Unsendable(); n > 0 {
		all = append(all, Need{Sync: name, What: counted(n, "row", "rows") + " cannot be sent.", Do: "See which, and correct them in the source. The next run takes them up.",
			Page: "/failures", Link: "See the rows that cannot be sent", Command: command("failures --kind invalid,duplicate"), Rank: rankUnsendable})
	}
	return all
}

// counted returns a number with separators, and the word for one or for many.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return telling.Number(n) + " " + many
}
