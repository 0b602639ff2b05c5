package inspect

import (
	"slices"
	"strings"
)

// consentColumn is a column that says who wants mail.
type consentColumn struct {
	*Column
	word string // of a status column: the value that means yes
}

var (
	mailingWords = []string{
		"newsletter", "newsletters", "marketing", "promo", "promos", "promotion", "promotions", "promotional", "mailing", "mailings", "mailinglist", "digest",
		"announcement", "announcements", "offers", "updates", "news", "campaigns", "rundbrief", "boletin", "boletín", "infolettre", "nieuwsbrief", "werbung",
	}
	assentWords = []string{"subscribed", "subscribe", "subscriber", "consent", "consented", "optin", "optedin"}
	// otherAssent are words for consents that are not about mail, and for columns beside a consent.
	otherAssent = []string{
		"terms", "tos", "privacy", "cookie", "cookies", "sms", "push", "phone", "whatsapp", "call", "calls", "post", "policy", "agb", "age", "data", "analytics",
		"tracking", "token", "id", "ip", "source", "url", "agent", "by", "version", "frequency", "count", "hash", "method", "form", "text", "plan", "paid",
		"premium", "trial", "sent", "last", "next", "opened", "clicked", "updated", "changed", "seen", "expires", "requested", "invited",
	}
	datedWords = []string{"at", "on", "date", "time", "is", "has", "state", "status"}
)

func refuses(words []string) bool {
	joined := squash(words)
	if strings.Contains(joined, "unsub") || strings.Contains(joined, "optout") || strings.Contains(joined, "optedout") || hasAny(words, "suppressed", "blacklisted") {
		return true
	}
	about := hasAny(words, mailingWords...) || hasAny(words, "email", "emails", "mail", "mails", "contact")
	return about && (hasAny(words, "no", "dont", "donot", "never") || hasAny(words, "do", "not") && hasAny(words, "not"))
}

func assents(words []string) bool {
	joined := squash(words)
	return hasAny(words, mailingWords...) || hasAny(words, assentWords...) || strings.Contains(joined, "optin") || strings.Contains(joined, "optedin") ||
		strings.Contains(joined, "newsletter")
}

// consentColumns returns the columns that say yes to mail, one per subject, in the table's order.
func consentColumns(t *Table) []consentColumn {
	var out []consentColumn
	var subjects []string
	for _, flags := range []bool{true, false} {
		for i := range t.Columns {
			c := &t.Columns[i]
			words := tokens(c.Name)
			if hasAny(words, otherAssent...) || refuses(words) {
				continue
			}
			found := consentColumn{Column: c}
			if formOf(c) == noForm || !assents(words) {
				if found.word = subscribedWord(c, words); found.word == "" {
					continue
				}
			}
			// A flag is preferred to the time at which it was set, because it holds now.
			subject := squash(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return hasAny([]string{w}, datedWords...) }))
			known := slices.ContainsFunc(subjects, func(s string) bool { return strings.HasPrefix(subject, s) })
			if flag := formOf(c) != moment; flag == flags && (flag || !known) {
				out, subjects = append(out, found), append(subjects, subject)
			}
		}
	}
	return out
}

// subscribedWord returns the value of a status column that means subscribed.
func subscribedWord(c *Column, words []string) string {
	if c.Kind != Text && c.Kind != Any || !hasAny(words, "status", "state") {
		return ""
	}
	for _, v := range c.Sample {
		if strings.EqualFold(v, "subscribed") {
			return v
		}
	}
	return ""
}

// refusalColumns returns the columns that say no to mail.
func refusalColumns(t *Table) []*Column {
	var out []*Column
	for i := range t.Columns {
		c := &t.Columns[i]
		words := tokens(c.Name)
		if refuses(words) && formOf(c) != noForm && !hasAny(words, "sms", "push", "phone", "token", "url", "reason", "whatsapp") {
			out = append(out, c)
		}
	}
	return out
}
