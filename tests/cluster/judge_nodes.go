package cluster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"owlatsync/owlat"
)

// judgeSenders wants every request to have been sent by a node that had the right to.
func judgeSenders(f *findings, e *Evidence, a *Account) {
	var leases []Lease
	for _, l := range e.Leases {
		if l.Deployment == a.Name {
			leases = append(leases, l)
		}
	}
	if leases == nil {
		return // nobody wrote down who might
	}
	begun := make(map[Span]int) // by the trouble in which they were begun
	for _, r := range a.Requests {
		if r.Node == 0 {
			continue // who is no node needs no lease, but has a part of the budget
		}
		if !slices.ContainsFunc(leases, func(l Lease) bool {
			return l.Node == r.Node && !r.At.Before(l.From) && (l.To.IsZero() || !r.At.After(l.To.Add(underway)))
		}) && !hadALostLease(a, leases, r) {
			if t, ok := begunBefore(e, leases, r); ok && begun[t.Span] < begunMost {
				begun[t.Span]++
				continue
			}
			f.add("%s: node %d sent %s %s at %s without the right to", a.Name, r.Node, r.Method, withoutNames(r.Path), clock(r.At))
		}
	}
}

// begunMost is how many requests a node may send late for a deployment because it was frozen between its look at the lease and each of
// them: as many as its budget lets through at once after a rest.
const begunMost = owlat.DefaultBurst

// begunBefore returns the trouble in which a node was frozen that had the right to send a request then, and sent it as soon as it went on.
func begunBefore(e *Evidence, leases []Lease, r Request) (Trouble, bool) {
	at := slices.IndexFunc(e.Troubles, func(t Trouble) bool {
		return t.Kind == Frozen && t.Node == r.Node && Span{t.To.Add(-underway), t.To.Add(underway)}.has(r.At) &&
			slices.ContainsFunc(leases, func(l Lease) bool {
				return l.Node == r.Node && !t.From.Before(l.From) && (l.To.IsZero() || !t.From.After(l.To))
			})
	})
	if at < 0 {
		return Trouble{}, false
	}
	return e.Troubles[at], true
}

// hadALostLease reports whether the one who gives the right may have forgotten that the node had it when it sent a request. Only one may
// have had it, and nobody had it as far as is known.
func hadALostLease(a *Account, leases []Lease, r Request) bool {
	return slices.ContainsFunc(a.Lost, func(lost Span) bool {
		in := Span{lost.From, lost.To.Add(leaseLives)}
		return in.has(r.At) && !slices.ContainsFunc(leases, func(l Lease) bool {
			return !r.At.Before(l.From) && (l.To.IsZero() || r.At.Before(l.To))
		}) && !slices.ContainsFunc(a.Requests, func(o Request) bool {
			return o.Node != 0 && o.Node != r.Node && o.At.After(lost.To.Add(underway)) && !o.At.After(r.At)
		})
	})
}

// unsureOfEach is how many rows one trouble may leave unsure: those whose adds were on their way.
const unsureOfEach = 8

// judgeUnsure wants no more rows to be unsure than troubles account for.
func judgeUnsure(f *findings, e *Evidence, a *Account) {
	if most := unsureOfEach * len(e.Troubles); len(a.Unsure) > most {
		f.add("%s: %d rows are unsure after %d troubles", a.Name, len(a.Unsure), len(e.Troubles))
	}
}

// withoutNames cuts a path off before it names somebody.
func withoutNames(path string) string {
	parts := strings.SplitN(path, "/", 5)
	return strings.Join(parts[:min(len(parts), 4)], "/")
}

// judgeLeases wants at most one node to have each right at a time.
func judgeLeases(f *findings, e *Evidence) {
	of := make(map[string][]Lease)
	for _, l := range e.Leases {
		of[l.Deployment+" "+l.Kind] = append(of[l.Deployment+" "+l.Kind], l)
	}
	for _, all := range of {
		slices.SortFunc(all, func(x, y Lease) int { return cmp.Or(x.From.Compare(y.From), cmp.Compare(x.Epoch, y.Epoch)) })
		for i := 1; i < len(all); i++ {
			before, l := all[i-1], all[i]
			if before.To.IsZero() || l.From.Before(before.To) {
				f.add("%s: node %d took the %s at %s while node %d had it", l.Deployment, l.Node, l.Kind, clock(l.From), before.Node)
			}
			if l.Epoch != 0 && l.Epoch <= before.Epoch {
				f.add("%s: the %s of node %d has the epoch %d, not above %d", l.Deployment, l.Kind, l.Node, l.Epoch, before.Epoch)
			}
		}
	}
}

// judgeTakeOver wants the work of a node that was lost for long enough to be another's in time, and the other to send.
func judgeTakeOver(f *findings, e *Evidence) {
	for _, t := range e.Troubles {
		if !t.lost() || t.To.Sub(t.From) < e.within() || !someoneIsWell(e, t) {
			continue
		}
		for _, l := range e.Leases {
			if l.Kind != home || l.Node != t.Node || l.From.After(t.From) || !l.To.IsZero() && l.To.Before(t.From) {
				continue
			}
			if took := takenOver(e, l.Deployment, t); took < 0 || took > e.within() {
				f.add("%s: node %d was %s at %s, and nobody else sent anything for its work within %v", l.Deployment, t.Node, t.Kind, clock(t.From), e.within())
			}
		}
	}
}

// takenOver returns how long after the beginning of a trouble another node sent something, below 0 if none did.
func takenOver(e *Evidence, deployment string, t Trouble) time.Duration {
	first := time.Duration(-1)
	for _, a := range e.Accounts {
		if a.Name != deployment {
			continue
		}
		for _, r := range a.Requests {
			if after := r.At.Sub(t.From); r.Node != 0 && r.Node != t.Node && after > 0 && (first < 0 || after < first) {
				first = after
			}
		}
	}
	return first
}

// TakeOvers returns how long each loss of a node took until another sent something for its work.
func TakeOvers(e *Evidence) (took []time.Duration) {
	for _, t := range e.Troubles {
		for _, l := range e.Leases {
			if !t.lost() || l.Kind != home || l.Node != t.Node || l.From.After(t.From) || !l.To.IsZero() && l.To.Before(t.From) {
				continue
			}
			if d := takenOver(e, l.Deployment, t); d >= 0 && d < t.To.Sub(t.From) {
				took = append(took, d)
			}
		}
	}
	slices.Sort(took)
	return took
}

// someoneIsWell reports whether a node could have taken over: whether there is one without a trouble of its own meanwhile, and whether
// none that has one took the work first, because then the time begins anew.
func someoneIsWell(e *Evidence, t Trouble) bool {
	window := Span{t.From, t.From.Add(e.within())}
	ill := map[int]bool{t.Node: true}
	for _, o := range e.Troubles {
		if o.From.Before(window.To) && o.To.After(window.From.Add(-underway)) {
			if o.Node == 0 {
				return false
			}
			ill[o.Node] = true
		}
	}
	well := false
	for node := range e.Logs {
		well = well || !ill[node]
	}
	return well && !slices.ContainsFunc(e.Leases, func(l Lease) bool { return l.Kind == home && l.Node != t.Node && ill[l.Node] && window.has(l.From) })
}

// judgeLogs wants no secret, no person and no race in what the nodes wrote.
func judgeLogs(f *findings, e *Evidence) {
	for node, log := range e.Logs {
		for _, line := range strings.Split(log, "\n") {
			switch {
			case strings.Contains(line, "WARNING: DATA RACE"), strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"):
				f.add("node %d: %s", node, line)
			case strings.Contains(line, "example.com"):
				f.add("node %d names a person in its log: %s", node, line)
			case slices.ContainsFunc(e.Secrets, func(s string) bool { return s != "" && strings.Contains(line, s) }):
				f.add("node %d names a secret in its log", node)
			}
		}
	}
}
