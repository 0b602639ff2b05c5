package policy

import (
	"fmt"
	"math"

	"owlatsync"
)

// Guards hold a run whose plan looks like an accident. The zero value has the defaults.
type Guards struct {
	Removals    Limit // rows whose contact leaves a topic or is deleted; more than 10 % and more than 20 rows if zero
	Updates     Limit // rows whose contact changes; more than 50 % and more than 100 rows if zero
	EmptySource bool  // lets a source without rows pass although the ledger has some
	FirstRun    bool  // lets a first run pass unasked
}

// Limit is exceeded by more than Rows rows that are also more than Share of the rows the ledger knows.
type Limit struct {
	Share float64 // 0 to 1
	Rows  int
}

// The limits of guards that set none.
var (
	DefaultRemovals = Limit{Share: 0.10, Rows: 20}
	DefaultUpdates  = Limit{Share: 0.50, Rows: 100}
)

// Or returns the limit, or standard if the limit is zero.
func (l Limit) Or(standard Limit) Limit {
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

// Exceeded reports whether rows, of the number that the ledger knows, exceed the limit. Reaching it is not exceeding it. The share
// counts to a millionth, because products of fractions such as 0.29 are not exact.
func (l Limit) Exceeded(rows, of int) bool {
	return rows > l.Rows && float64(rows)*1e6 > math.Round(l.Share*1e6)*float64(of)
}

// Validate returns an error that says which limit makes no sense.
func (g Guards) Validate() error {
	for _, of := range []struct {
		name string
		Limit
	}{{"removals", g.Removals}, {"updates", g.Updates}} {
		if !(of.Share >= 0 && of.Share <= 1) || of.Rows < 0 { // false for NaN too
			return fmt.Errorf("the guard %s: the share is between 0 and 1 and the number of rows not negative", of.name)
		}
	}
	return nil
}

// Hits returns the guards that hold the plan, nil if it may be applied. Pure.
func (g Guards) Hits(s owlatsync.Summary) []owlatsync.Hit {
	var hits []owlatsync.Hit
	hit := func(guard owlatsync.Guard, format string, args ...any) {
		hits = append(hits, owlatsync.Hit{Guard: guard, Reason: fmt.Sprintf(format, args...)})
	}
	if !g.EmptySource && s.Rows == 0 && s.Entries > 0 && !s.OfChanges() {
		hit(owlatsync.GuardEmptySource, "the source has no rows, and the ledger knows %d: is the query right, and the table not being reloaded?", s.Entries)
	}
	if limit := g.Removals.Or(DefaultRemovals); limit.Exceeded(s.Removals, s.Entries) {
		hit(owlatsync.GuardRemovals, "%d of %d rows would leave a topic or be deleted; the limit is %s", s.Removals, s.Entries, limit)
	}
	updates := s.Outcomes[owlatsync.Updated] + s.Outcomes[owlatsync.Renamed]
	if limit := g.Updates.Or(DefaultUpdates); limit.Exceeded(updates, s.Entries) {
		hit(owlatsync.GuardUpdates, "%d of %d rows would change; the limit is %s: has a column been swapped?", updates, s.Entries, limit)
	}
	created, added := s.Outcomes[owlatsync.Created], s.Memberships.Added
	if !g.FirstRun && s.FirstRun && created+added > 0 {
		upTo := ""
		if s.MayExist > 0 {
			upTo = "up to "
		}
		hit(owlatsync.GuardFirstRun, "this first run will create %s%s and %s; each fires the automations on \"contact created\" and "+
			"\"topic subscribed\", such as welcome mails", upTo, owlatsync.Counted(created, "contact"), owlatsync.Counted(added, "membership"))
	}
	return hits
}
