package propose

import (
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// nameScore says how much the table's name sounds like a list of people.
func nameScore(t *inspect.Table) int {
	best, against, other := 0, 0, 0
	for _, w := range tokens(t.Name) {
		n := max(personTables[w], personTables[singular(w)])
		switch {
		case hasAny([]string{w}, sideTables...):
			against += 40
		case n > 0:
			best = max(best, n)
		default:
			other++
		}
	}
	score := best - against - 4*other
	if t.View {
		score -= 6
	}
	if t.Schema != "" {
		score -= 4
	}
	return score
}

// clientWords are words for people whom an application serves. Where a table of them stands beside one of accounts, the accounts are those of
// its staff.
var clientWords = []string{
	"customer", "subscriber", "member", "contact", "lead", "client", "donor", "audience", "attendee", "participant", "supporter", "student", "patient",
	"buyer", "shopper", "reader", "registrant", "volunteer", "kunde", "kunden", "mitglied", "mitglieder", "abonnent", "abonnenten", "kontakt", "kontakte",
	"abonné", "abonne", "adhérent", "adherent", "membre", "cliente", "suscriptor", "socio", "klant", "klanten", "lid", "leden", "assinante", "iscritti",
}

// accountWords are words for accounts, which may be people or staff.
var accountWords = []string{"user", "account", "identity", "benutzer", "nutzer", "utilisateur", "usuario", "utente", "gebruiker", "utilizador", "employee", "author", "owner"}

// clients reports whether the table's name says that the application serves the people in it.
func clients(t *inspect.Table) bool {
	return nameScore(t) > 20 && slices.ContainsFunc(tokens(t.Name), func(w string) bool { return hasAny([]string{w, singular(w)}, clientWords...) })
}

// accounts reports whether the table's name says that it holds accounts.
func accounts(t *inspect.Table) bool {
	return !clients(t) && slices.ContainsFunc(tokens(t.Name), func(w string) bool { return hasAny([]string{w, singular(w)}, accountWords...) })
}

// systemWords begin the names of the tables of systems for content, whose own accounts are their editors.
var systemWords = []string{"directus", "strapi", "payload", "keystone", "sanity", "cms", "backend", "filament", "nova", "sf"}

// ofSystem reports whether the table is one of a system that people build their own tables beside.
func ofSystem(t *inspect.Table) bool {
	words := tokens(t.Name)
	return len(words) > 1 && hasAny(words[:1], systemWords...)
}

// accountSigns returns the columns that speak for accounts: passwords, roles, permissions and second factors.
func accountSigns(t *inspect.Table) (signs []string) {
	for _, c := range t.Columns {
		words := tokens(c.Name)
		joined := squash(words)
		switch {
		case strings.Contains(joined, "password") || hasAny(words, "passwd", "pass", "pwd"),
			hasAny(words, "role", "roles", "permission", "permissions", "superuser", "otp", "totp", "mfa", "2fa"), strings.Contains(joined, "twofactor"):
			signs = append(signs, c.Name)
		}
	}
	return signs
}
