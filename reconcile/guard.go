package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"owlatsync"
)

// Guards hold a run whose plan looks like an accident. The zero value has the defaults.
type Guards struct {
	Removals    Limit // rows whose contact leaves a topic or is deleted; more than 10 % and more than 20 rows if zero
	Updates     Limit // rows whose contact changes; more than 50 % and more than 100 rows if zero
	EmptySource bool  // lets a source without rows pass although the ledger has some
	FirstRun    bool  // lets a first run pass unasked
}

// Limit is exceeded by more rows than Rows that are also more than Share of the rows the ledger knows.
type Limit struct {
	Share float64 // 0 to 1
	Rows  int
}

// The limits of guards that name none.
var (
	DefaultRemovals = Limit{Share: 0.10, Rows: 20}
	DefaultUpdates  = Limit{Share: 0.50, Rows: 100}
)

func (l Limit) or(standard Limit) Limit {
	if l == (Limit{}) {
		return standard
	}
	return l
}

// String returns the limit for people, such as "10 % and 20 rows".
func (l Limit) String() string {
	share := math.Round(l.Share*1e6) / 1e4
	if l.Rows == 1 {
		return fmt.Sprintf("%g %% and 1 row", share)
	}
	return fmt.Sprintf("%g %% and %d rows", share, l.Rows)
}

func (l Limit) exceeded(rows, of int) bool {
	return rows > l.Rows && float64(rows) > l.Share*float64(of)
}

func (g Guards) validate() error {
	for name, l := range map[string]Limit{"removals": g.Removals, "updates": g.Updates} {
		if l.Share < 0 || l.Share > 1 || l.Rows < 0 {
			return fmt.Errorf("the guard %s: the share is between 0 and 1 and the number of rows not negative", name)
		}
	}
	return nil
}

// Hits returns the guards that hold the plan, none if it may be applied. Pure.
func (g Guards) Hits(s owlatsync.Summary) []owlatsync.Hit {
	var hits []owlatsync.Hit
	hit := func(guard owlatsync.Guard, format string, args ...any) {
		hits = append(hits, owlatsync.Hit{Guard: guard, Reason: fmt.Sprintf(format, args...)})
	}
	if !g.EmptySource && s.Rows == 0 && s.Entries > 0 && !s.OfChanges() {
		hit(owlatsync.GuardEmptySource, "the source has no rows, and the ledger knows %d: is the query right, and the table not being reloaded?", s.Entries)
	}
	if limit := g.Removals.or(DefaultRemovals); limit.exceeded(s.Removals, s.Entries) {
		hit(owlatsync.GuardRemovals, "%d of %d rows would leave a topic or be deleted; the limit is %s", s.Removals, s.Entries, limit)
	}
	updates := s.Outcomes[owlatsync.Updated] + s.Outcomes[owlatsync.Renamed]
	if limit := g.Updates.or(DefaultUpdates); limit.exceeded(updates, s.Entries) {
		hit(owlatsync.GuardUpdates, "%d of %d rows would change; the limit is %s: has a column been swapped?", updates, s.Entries, limit)
	}
	created, added := s.Outcomes[owlatsync.Created], s.Memberships.Added
	if !g.FirstRun && s.FirstRun && created+added > 0 {
		hit(owlatsync.GuardFirstRun, "this first run will create %s and %s; each fires the automations on \"contact created\" and "+
			"\"topic subscribed\", such as welcome mails", counted(created, "contact"), counted(added, "membership"))
	}
	return hits
}

// HeldError says that guards hold a run: nothing was applied, and the plan is kept for approval under the run's number.
type HeldError struct {
	Sync string
	Run  int64
	Hits []owlatsync.Hit
}

// ErrHeld is matched by *HeldError.
var ErrHeld = errors.New("held by a guard")

func (e *HeldError) Error() string {
	reasons := make([]string, len(e.Hits))
	for i, h := range e.Hits {
		reasons[i] = h.Reason
	}
	return fmt.Sprintf("held by a guard, nothing was applied: %s", strings.Join(reasons, "; "))
}

// Is matches ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// MovedError says that a held plan can no longer be applied as it was, because the source, the ledger or Owlat moved since.
type MovedError struct {
	Run  int64
	Rows int      // whose step differs now
	Keys []string // of the first of them
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("the plan of run %d is not what would be done now: %d rows differ (such as %s). Look at a new plan, and approve that",
		e.Run, e.Rows, strings.Join(e.Keys, ", "))
}

// recount counts the entries where a guard would hold a run that reads only changes: runs that came to no end may have made
// some since they were last counted.
func (p *planner) recount(ctx context.Context) error {
	if !p.reading.changes || len(p.sync.Guards.Hits(p.summary)) == 0 {
		return nil
	}
	standing, err := p.ledger.Standing(ctx, p.sync.Name)
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	p.summary.Entries = standing.Entries
	return nil
}
