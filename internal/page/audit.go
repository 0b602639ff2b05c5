package page

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/ledger"
)

// auditPage is a part of the audit, newest first.
type auditPage struct {
	Lines []ledger.AuditLine
	Older string // where older lines are; empty: there are none
}

// listedLines is how many lines of the audit a page has.
const listedLines = 100

func showAudit(c *call) error {
	before, err := strconv.ParseInt(c.r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0 // from the newest
	}
	lines, err := c.d.Ledger.AuditLines(c.r.Context(), before, listedLines+1)
	if err != nil {
		return err
	}
	v := auditPage{Lines: lines}
	if len(lines) > listedLines {
		v.Lines = lines[:listedLines]
		v.Older = "?before=" + strconv.FormatInt(lines[listedLines-1].Number, 10)
	}
	c.show(http.StatusOK, "audit", "Audit", v)
	return nil
}

// note adds a line about what somebody did here to the audit of every deployment that they reach.
func (c *call) note(who access.Principal, line ledger.AuditLine) {
	line.Way = ledger.ByPage
	var open []*api.Deployment
	for _, name := range c.parts.Directory.Names() {
		if d, err := c.parts.Directory.Find(name); err == nil && who.Reaches(name) {
			open = append(open, d)
		}
	}
	each(len(open), func(i int) { api.Note(c.r.Context(), open[i].Ledger, c.log, who, line) })
}

// each does something for n of something, a few at once.
func each(n int, do func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(askedAtOnce, n) {
		workers.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// refusalsTold is how often the audit tells at most of sign-ins that were refused.
const refusalsTold = time.Minute

// stranger stands in the audit for names without an account: what was typed may be a password.
const stranger = "unknown name"

// refusals counts sign-ins that were refused, so that the audit does not grow with every one of them.
type refusals struct {
	mu    sync.Mutex
	told  time.Time
	count int // since then
}

// add counts a refusal, and returns how many are to be told now; 0: none. Whose name it was makes no difference, so that the time of an
// answer does not tell which names there are.
func (r *refusals) add(now time.Time) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count++; now.Sub(r.told) < refusalsTold {
		return 0
	}
	count, r.count, r.told = r.count, 0, now
	return count
}
