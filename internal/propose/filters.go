package propose

import (
	"cmp"
	"fmt"
	"slices"

	"owlatsync/internal/inspect"
)

// Condition is one part of a query's WHERE, with the reason for it.
type Condition struct {
	Column string
	SQL    string
	Why    string
}

// The squashed names of columns for each meaning, without owners and words such as "is". The first of a list is the surest.
var (
	verifiedNames = []string{
		"emailverified", "emailverifiedat", "emailconfirmed", "emailconfirmedat", "emailvalidated", "emailvalidatedat", "mailverified", "mailconfirmed",
		"emailverifiedon", "emailconfirmedon", "confirmedat", "verifiedat", "confirmed", "verified", "validatedat", "doiconfirmed", "doubleoptin", "doubleoptinconfirmed",
	}
	activeNames   = []string{"active", "enabled", "activated", "published", "aktiv", "actif", "activo", "attivo", "actief"}
	approvedNames = []string{"approved", "approvedat", "accepted"}
	deletedNames  = []string{
		"deleted", "deletedat", "deleteat", "deletedon", "deletedtime", "deletiondate", "softdeleted", "softdeletedat", "removed", "removedat", "discarded", "discardedat",
		"archived", "archivedat", "trashed", "trashedat", "anonymized", "anonymizedat", "anonymised", "anonymisedat", "erased", "erasedat", "closedat", "closed",
		"geloescht", "gelöscht", "supprime", "supprimé", "eliminado", "verwijderd",
	}
	blockedNames = []string{
		"banneduntil", "bannedtill", "suspendeduntil", "suspendedtill", "blockeduntil", "lockeduntil", "disabled", "disabledat", "disable", "blocked", "blockedat", "banned", "bannedat", "suspended", "suspendedat", "block",
		"deactivated", "deactivatedat", "inactive", "locked", "prohibitlogin", "loginprohibited", "spam", "bot", "system", "systemaccount", "test", "testaccount", "testuser",
		"gesperrt", "bloqueado",
	}
	deadNames    = []string{"deceased", "dead", "deceasedat", "deceaseddate"}
	staffNames   = []string{"staff", "staffuser", "employee", "serviceaccount", "service"}
	guestNames   = []string{"guest", "anonymous", "staged", "temporary", "shadow"}
	bouncedNames = []string{
		"bounced", "bouncedat", "emailbounced", "emailbouncedat", "hardbounced", "hardbouncedat", "emailinvalid", "undeliverable", "mailbounced", "onhold", "emailsuppressed",
	}
	statusNames = []string{"status", "state", "accountstatus", "userstatus", "memberstatus", "customerstatus", "userstate", "accountstate", "subscriberstatus"}
	statusWords = []string{"active", "Active", "ACTIVE", "enabled", "ENABLED", "confirmed", "verified", "aktiv", "actif", "activo"}
)

// meanings are what a column can say that leaves a row out. Each has one column at most.
var meanings = []struct {
	names []string
	wants bool // a row whose column says no is left out; else one whose column says yes
	flag  bool // a time has another meaning
	why   string
}{
	{verifiedNames, true, false, "addresses that nobody has confirmed are left out"},
	{activeNames, true, true, "accounts that are not active are left out"},
	{approvedNames, true, false, "accounts that nobody has approved are left out"},
	{deletedNames, false, false, "deleted rows are left out"},
	{deadNames, false, false, "people who have died are left out"},
	{blockedNames, false, false, "blocked, system and test accounts are left out"},
	{staffNames, false, true, "staff and service accounts are left out"},
	{guestNames, false, true, "guests and accounts without a person are left out"},
	{bouncedNames, false, false, "addresses that bounce are left out"},
}

// filters returns the conditions that leave out people who should get no mail, one per meaning. Quote writes a column.
func filters(d dialect, t *inspect.Table, quote func(*inspect.Column) string) []Condition {
	var out []Condition
	for _, m := range meanings {
		if m.wants {
			if c := flagColumn(t, m.names, m.flag); c != nil {
				out = append(out, Condition{c.Name, d.yes(quote(c), c), m.why})
			}
			continue
		}
		for _, c := range flagColumns(t, m.names, m.flag) {
			out = append(out, Condition{c.Name, d.no(quote(c), c), m.why})
		}
	}
	if c := statusColumn(t); c != nil {
		word := activeWord(c)
		out = append(out, Condition{c.Name, fmt.Sprintf("%s = %s", quote(c), literal(word)), fmt.Sprintf("rows with another status than %q are left out", word)})
	} else if c := statusFlag(t); c != nil {
		out = append(out, Condition{c.Name, quote(c) + " = 1", "rows whose status is 0 are left out"})
	}
	if c, word := kindColumn(t); c != nil {
		out = append(out, Condition{c.Name, fmt.Sprintf("%s = %s", quote(c), literal(word)), "organisations and the like are left out"})
	}
	if c := serviceLink(t); c != nil {
		out = append(out, Condition{c.Name, quote(c) + " IS NULL", "accounts of services are left out"})
	}
	return out
}

// addressFilters returns the conditions that leave out addresses, for a table of addresses.
func addressFilters(d dialect, t *inspect.Table, quote func(*inspect.Column) string) (out []Condition) {
	if c := flagColumn(t, verifiedNames, false); c != nil {
		out = append(out, Condition{c.Name, d.yes(quote(c), c), "addresses that nobody has confirmed are left out"})
	}
	if c := flagColumn(t, bouncedNames, false); c != nil {
		out = append(out, Condition{c.Name, d.no(quote(c), c), "addresses that bounce are left out"})
	}
	return out
}

// joinedFilters returns the conditions that leave out people because of a joined table, which need not have a row for everybody.
func joinedFilters(d dialect, t *inspect.Table, quote func(*inspect.Column) string) (out []Condition) {
	for _, m := range meanings {
		for _, c := range flagColumns(t, m.names, m.flag) {
			if !m.wants && c.Nullable {
				out = append(out, Condition{t.Name + "." + c.Name, d.no(quote(c), c), m.why})
			}
		}
	}
	return out
}

// flagColumn returns the column whose name comes first in names, nil if there is none; onlyTruth leaves out times.
func flagColumn(t *inspect.Table, names []string, onlyTruth bool) *inspect.Column {
	if found := flagColumns(t, names, onlyTruth); len(found) > 0 {
		return found[0]
	}
	return nil
}

// flagColumns returns the columns that have one of the names, in the order of these. Of several that tell of one thing, such as suspended_at and
// suspended_till, it returns the first.
func flagColumns(t *inspect.Table, names []string, onlyTruth bool) (found []*inspect.Column) {
	places := make(map[*inspect.Column]int)
	for i := range t.Columns {
		c := &t.Columns[i]
		f := formOf(c)
		if f == noForm || onlyTruth && f != truth {
			continue
		}
		words := slices.DeleteFunc(tokens(c.Name), func(w string) bool {
			return hasAny([]string{w}, "is", "has", "was", "been", "marked", "as", "flag", "address")
		})
		for _, name := range []string{squash(words), squash(without(words, personTables))} {
			if at := slices.Index(names, name); at >= 0 {
				places[c] = at
				break
			}
		}
	}
	for i := range t.Columns {
		if _, is := places[&t.Columns[i]]; is {
			found = append(found, &t.Columns[i])
		}
	}
	slices.SortStableFunc(found, func(a, b *inspect.Column) int { return cmp.Compare(places[a], places[b]) })
	told := make(map[string]bool)
	return slices.DeleteFunc(found, func(c *inspect.Column) bool {
		about := squash(slices.DeleteFunc(tokens(c.Name), func(w string) bool { return hasAny([]string{w}, "is", "at", "on", "until", "till", "date", "time") }))
		known := told[about]
		told[about] = true
		return known
	})
}

// statusColumn returns a column of few words, one of which means that the row is active.
func statusColumn(t *inspect.Table) *inspect.Column {
	for i := range t.Columns {
		c := &t.Columns[i]
		if (c.Kind == inspect.Text || c.Kind == inspect.Any) && slices.Contains(statusNames, squash(tokens(c.Name))) && activeWord(c) != "" {
			return c
		}
	}
	return nil
}

// statusFlag returns a column called status that is a flag: 1 for nearly everybody, and 0 for those who are disabled. In a column that is
// 0 for nearly everybody, the numbers mean something else.
func statusFlag(t *inspect.Table) *inspect.Column {
	for i := range t.Columns {
		c := &t.Columns[i]
		if (c.Kind != inspect.Number && c.Kind != inspect.Bool) || !slices.Contains(statusNames, squash(tokens(c.Name))) || !numeric(c.Sample) {
			continue
		}
		ones := 0
		for _, v := range c.Sample {
			if v == "1" {
				ones++
			}
		}
		if ones*2 >= len(c.Sample) {
			return c
		}
	}
	return nil
}

// kindColumn returns the column that tells people from organisations, and its word for people.
func kindColumn(t *inspect.Table) (*inspect.Column, string) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Kind != inspect.Text && c.Kind != inspect.Any || !hasAny([]string{squash(tokens(c.Name))}, "contacttype", "partytype", "persontype", "customertype", "entitytype") {
			continue
		}
		for _, word := range []string{"Individual", "individual", "Person", "person", "INDIVIDUAL", "PERSON"} {
			if slices.Contains(c.Sample, word) {
				return c, word
			}
		}
	}
	return nil, ""
}

// serviceLink returns a column that has a value only for the accounts of services.
func serviceLink(t *inspect.Table) *inspect.Column {
	for i := range t.Columns {
		c := &t.Columns[i]
		words := tokens(c.Name)
		if c.Kind == inspect.Text && c.Nullable && slices.Contains(words, "service") && hasAny(words, "account", "client") {
			return c
		}
	}
	return nil
}

func activeWord(c *inspect.Column) string {
	distinct := slices.Compact(slices.Sorted(slices.Values(c.Sample)))
	if len(distinct) > 12 {
		return ""
	}
	for _, w := range statusWords {
		if slices.Contains(distinct, w) {
			return w
		}
	}
	return ""
}
