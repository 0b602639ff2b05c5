package inspect

import (
	"fmt"
	"slices"
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
	activeNames  = []string{"active", "enabled", "aktiv", "actif", "activo", "attivo", "actief"}
	deletedNames = []string{
		"deleted", "deletedat", "deletedon", "deletedtime", "deletiondate", "softdeleted", "softdeletedat", "removed", "removedat", "discarded", "discardedat",
		"archived", "archivedat", "trashed", "trashedat", "anonymized", "anonymizedat", "anonymised", "anonymisedat", "erased", "erasedat", "closedat", "closed",
		"geloescht", "gelöscht", "supprime", "supprimé", "eliminado", "verwijderd",
	}
	blockedNames = []string{
		"disabled", "disabledat", "blocked", "blockedat", "banned", "bannedat", "suspended", "suspendedat", "deactivated", "deactivatedat", "inactive",
		"spam", "bot", "system", "test", "testaccount", "testuser", "gesperrt", "bloqueado",
	}
	bouncedNames = []string{"bounced", "bouncedat", "emailbounced", "emailbouncedat", "hardbounced", "hardbouncedat", "emailinvalid", "undeliverable", "mailbounced"}
	statusNames  = []string{"status", "state", "accountstatus", "userstatus", "memberstatus", "customerstatus", "userstate", "accountstate"}
	statusWords  = []string{"active", "Active", "ACTIVE", "enabled", "ENABLED", "confirmed", "verified", "aktiv", "actif", "activo"}
)

// filters returns the conditions that leave out people who should get no mail, one per meaning.
func filters(d Dialect, t *Table) []Condition {
	var out []Condition
	add := func(names []string, sure bool, expr func(*Column) string, why string) {
		if c := flagColumn(t, names, sure); c != nil {
			out = append(out, Condition{Column: c.Name, SQL: expr(c), Why: why})
		}
	}
	add(verifiedNames, false, d.yes, "addresses that nobody has confirmed are left out")
	add(activeNames, true, d.yes, "accounts that are not active are left out")
	add(deletedNames, false, d.no, "deleted rows are left out")
	add(blockedNames, false, d.no, "blocked, system and test accounts are left out")
	add(bouncedNames, false, d.no, "addresses that bounce are left out")
	if c := statusColumn(t); c != nil {
		word := activeWord(c)
		out = append(out, Condition{
			Column: c.Name, SQL: fmt.Sprintf("%s = %s", d.quote(c.Name), literal(word)), Why: fmt.Sprintf("rows with another status than %q are left out", word),
		})
	}
	return out
}

// flagColumn returns the column whose name comes first in names; onlyTruth leaves out times.
func flagColumn(t *Table, names []string, onlyTruth bool) *Column {
	var best *Column
	place := len(names)
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
			if at := slices.Index(names, name); at >= 0 && at < place {
				best, place = c, at
			}
		}
	}
	return best
}

// statusColumn returns a column of few words, one of which means that the row is active.
func statusColumn(t *Table) *Column {
	for i := range t.Columns {
		c := &t.Columns[i]
		if (c.Kind == Text || c.Kind == Any) && slices.Contains(statusNames, squash(tokens(c.Name))) && activeWord(c) != "" {
			return c
		}
	}
	return nil
}

func activeWord(c *Column) string {
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
