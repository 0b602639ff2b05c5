package policy

import (
	"fmt"
	"math"

	"owlatsync"
)

// Guards hold a run whose plan looks like an accident. The zero value has the defaults.
type Guards struct {
	Removals    Limit // rows whose contact leaves a topic or is deleted; DefaultRemovals if zero
	Updates     Limit // known rows whose address or names change; DefaultUpdates if zero
	Creates     Limit // rows whose contact is created, from the second run on; DefaultCreates if zero
	TopicAdds   Limit // rows whose contact is put on a topic, from the second run on; DefaultTopicAdds if zero
	OptOuts     Limit // rows whose contact is opted out of everything; DefaultOptOuts if zero
	Events      Limit // rows that send an event because of what a column says; DefaultEvents if zero
	EmptySource bool  // lets a source without rows pass although the ledger has some
	FirstRun    bool  // lets a first run pass unasked
}

// Limit is exceeded by more than Rows rows that are also more than Share of the rows the ledger knows. However large Rows is, a guard
// also holds a run that touches more than 5 of the rows the ledger knows, if they are more than half of them and more than Share.
type Limit struct {
	Share float64 // 0 to 1
	Rows  int
}

// The limits of guards that set none.
var (
	DefaultRemovals  = Limit{Share: 0.10, Rows: 20}
	DefaultUpdates   = Limit{Share: 0.50, Rows: 100}
	DefaultCreates   = Limit{Share: 0.50, Rows: 20}
	DefaultTopicAdds = Limit{Share: 0.50, Rows: 20}
	DefaultOptOuts   = Limit{Share: 0.10, Rows: 20}
	DefaultEvents    = Limit{Share: 0.10, Rows: 50}
)

// NoLimit lifts a guard.
var NoLimit = Limit{Share: 1}

// most is exceeded by most of the rows the ledger knows, unless they are very few. No limit lets more rows pass, except by its share.
var most = Limit{Share: 0.50, Rows: 5}

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

// beyond says which limit the rows exceed, empty if none; known counts those of them that the ledger knows, which are of entries.
func (l Limit) beyond(rows, known, entries int) string {
	switch {
	case l == NoLimit:
		return ""
	case l.Exceeded(rows, entries):
		return "the limit is " + l.String()
	}
	if most := (Limit{Share: max(most.Share, l.Share), Rows: most.Rows}); most.Exceeded(known, entries) {
		return fmt.Sprintf("more than %s are always held", most)
	}
	return ""
}

// Validate returns an error that says which limit makes no sense.
func (g Guards) Validate() error {
	for _, of := range []struct {
		name string
		Limit
	}{{"removals", g.Removals}, {"updates", g.Updates}, {"creates", g.Creates}, {"topic_adds", g.TopicAdds}, {"opt_outs", g.OptOuts}, {"events", g.Events}} {
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
	known := max(s.Entries, s.Removals) // contacts that the ledger meets now may leave a topic too
	if limit := g.Removals.Or(DefaultRemovals).beyond(s.Removals, s.Removals, known); limit != "" {
		hit(owlatsync.GuardRemovals, "%d of %d rows would leave a topic or be deleted; %s", s.Removals, known, limit)
	}
	known = max(s.Entries, s.OptOuts)
	if limit := g.OptOuts.Or(DefaultOptOuts).beyond(s.OptOuts, s.OptOuts, known); limit != "" {
		hit(owlatsync.GuardOptOuts, "%d of %d rows would be opted out of everything, which only the person can take back; %s: does \"suppressed\" name the right column?",
			s.OptOuts, known, limit)
	}
	if limit := g.Updates.Or(DefaultUpdates).beyond(s.Updates, s.Updates, s.Entries); limit != "" {
		hit(owlatsync.GuardUpdates, "%d of %d rows would change; %s: has a column been swapped?", s.Updates, s.Entries, limit)
	}
	if limit := g.Creates.Or(DefaultCreates).beyond(s.Creates, 0, s.Entries); !s.FirstRun && limit != "" {
		hit(owlatsync.GuardCreates, "%s would be created, and the ledger knows %s; %s: has the query lost a condition?",
			owlatsync.Counted(s.Creates, "contact"), owlatsync.Counted(s.Entries, "row"), limit)
	}
	if limit := g.TopicAdds.Or(DefaultTopicAdds).beyond(s.TopicAdds, s.KnownAdds, s.Entries); !s.FirstRun && limit != "" {
		hit(owlatsync.GuardTopicAdds, "%s would be put on a topic, %d of them known, and the ledger knows %s; %s: is the topic or its column new?",
			owlatsync.Counted(s.TopicAdds, "row"), s.KnownAdds, owlatsync.Counted(s.Entries, "row"), limit)
	}
	if limit := g.Events.Or(DefaultEvents).beyond(s.Fires, min(s.Fires, s.Entries), s.Entries); limit != "" {
		hit(owlatsync.GuardEvents, "%s would send an event because of what they say, and the ledger knows %s; %s: does a column say something else than before?",
			owlatsync.Counted(s.Fires, "row"), owlatsync.Counted(s.Entries, "row"), limit)
	}
	created, added, removed := s.Outcomes[owlatsync.Created], s.Memberships.Added, s.Memberships.Removed
	never := s.Memberships.OptedOut + s.Sought
	if !g.FirstRun && s.FirstRun && created+added+removed+never > 0 {
		upTo, off := "", ""
		if s.MayExist > 0 {
			upTo = "up to "
		}
		if removed > 0 {
			off = fmt.Sprintf("; it also ends up to %s of contacts that exist, because their rows say no", owlatsync.Counted(removed, "membership"))
		}
		if never > 0 {
			off += fmt.Sprintf("; it also opts up to %s out of everything for good, because their rows say that no mail may go to them", owlatsync.Counted(never, "contact"))
		}
		hit(owlatsync.GuardFirstRun, "this first run will create %s%s and %s; each fires the automations on \"contact created\" and "+
			"\"topic subscribed\", such as welcome mails%s", upTo, owlatsync.Counted(created, "contact"), owlatsync.Counted(added, "membership"), off)
	}
	return hits
}
