package propose

import (
	"fmt"
	"owlatsync/internal/inspect"
	"slices"
	"strings"
)

// consentColumn is a column that says who wants mail.
type consentColumn struct {
	*inspect.Column
	word string // of a status column: the value that means yes
}

var (
	mailingWords = []string{
		"newsletter", "newsletters", "marketing", "promo", "promos", "promotion", "promotions", "promotional", "mailing", "mailings", "mailinglist", "digest", "digests",
		"massemail", "massmail", "massmailing", "announcement", "announcements", "offers", "updates", "news", "campaigns", "rundbrief", "boletin", "boletín", "infolettre", "nieuwsbrief", "werbung",
	}
	assentWords = []string{"subscribed", "subscribe", "subscriber", "consent", "consented", "optin", "optedin"}
	// otherAssent are words for consents that are not about mail, and for columns beside a consent.
	otherAssent = []string{
		"registration", "mode", "terms", "tos", "privacy", "cookie", "cookies", "sms", "push", "phone", "whatsapp", "call", "calls", "post", "policy", "agb", "age", "data", "analytics",
		"tracking", "token", "id", "ip", "source", "url", "agent", "by", "version", "frequency", "count", "hash", "method", "form", "text", "plan", "paid",
		"premium", "trial", "sent", "last", "next", "opened", "clicked", "updated", "changed", "seen", "expires", "requested", "invited",
	}
	datedWords = []string{"at", "on", "date", "time", "is", "has", "state", "status"}
)

// refusalNames are parts of squashed names that say no to mail.
var refusalNames = []string{"unsub", "optout", "optedout", "donotcontact", "donotemail", "dontemail", "emaildisabled", "disableemail", "emailstop", "stopemail", "nomail", "noemail", "abgemeldet", "desabonne"}

// refuses reports whether the words say no to mail.
func refuses(words []string) bool {
	joined := squash(words)
	if hasAny(words, "suppressed", "blacklisted", "blocklisted") {
		return true
	}
	for _, word := range refusalNames {
		if strings.Contains(joined, word) {
			return true
		}
	}
	about := hasAny(words, mailingWords...) || hasAny(words, "email", "emails", "mail", "mails", "contact")
	return about && (hasAny(words, "no", "dont", "donot", "never") || hasAny(words, "do", "not") && hasAny(words, "not"))
}

func assents(words []string) bool {
	joined := squash(words)
	return hasAny(words, mailingWords...) || hasAny(words, assentWords...) || strings.Contains(joined, "optin") || strings.Contains(joined, "optedin") ||
		strings.Contains(joined, "newsletter") || strings.Contains(joined, "marketing") && len(words) == 1
}

// consentColumns returns the columns that say yes to mail, one per subject, in the table's order.
func consentColumns(t *inspect.Table) []consentColumn {
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
func subscribedWord(c *inspect.Column, words []string) string {
	if c.Kind != inspect.Text && c.Kind != inspect.Any || !hasAny(words, "status", "state") {
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
func refusalColumns(t *inspect.Table) []*inspect.Column {
	var out []*inspect.Column
	for i := range t.Columns {
		c := &t.Columns[i]
		words := tokens(c.Name)
		if refuses(words) && formOf(c) != noForm && !hasAny(words, "sms", "push", "phone", "token", "url", "reason", "whatsapp") {
			out = append(out, c)
		}
	}
	return out
}

// consenting finds the consents.
type consenting struct{ guess }

// consents proposes a topic for every column that says who wants mail.
func (p consenting) consents() {
	if !p.Dialect.SQL() {
		filing(p).consents()
		filing(p).letters()
		return
	}
	refusals := refusalColumns(p.Table)
	agreed := consentColumns(p.Table)
	var not []string
	for _, c := range refusals {
		not = append(not, p.sql().no(p.quote(p.Table, c), c))
	}
	for _, c := range agreed {
		p.Topics = append(p.Topics, p.consent(c, not))
	}
	if len(agreed) > 0 {
		p.subscribers(not)
		return
	}
	if p.linkedConsent(not) {
		return
	}
	if len(refusals) > 0 {
		p.Topics = append(p.Topics, Topic{
			When: p.expression(truthOf(not), "subscribed"),
			Note: fmt.Sprintf("%s only says who does not want mail. Use it where everybody else has agreed.", refusals[0].Name),
		})
	}
}

func (p consenting) consent(c consentColumn, not []string) Topic {
	if c.word == "" && formOf(c.Column) == truth && len(not) == 0 {
		return Topic{When: p.column(c.Column)}
	}
	q := p.quote(p.Table, c.Column)
	yes := q + " = " + literal(c.word)
	if c.word == "" {
		yes = p.sql().yes(q, c.Column)
	}
	topic := Topic{}
	if len(not) > 0 {
		topic.Note = "Those who have opted out are taken for a no."
	}
	words := slices.DeleteFunc(tokens(c.Name), func(w string) bool { return hasAny([]string{w}, datedWords...) })
	topic.When = p.expression(truthOf(append([]string{yes}, not...)), strings.Join(append(words, "consent"), "_"))
	return topic
}

// truthOf joins conditions to an expression of the select list, where NULL counts as no too.
func truthOf(conditions []string) string { return "(" + strings.Join(conditions, " AND ") + ")" }

// aboutMail reports whether the table's name speaks of consents to mail.
func aboutMail(t *inspect.Table) bool {
	words := tokens(t.Name)
	joined := squash(words)
	return refuses(words) || hasAny(words, mailingWords...) || hasAny(words, assentWords...) || hasAny(words, "subscription", "subscriptions", "list", "lists") ||
		strings.Contains(joined, "newsletter") || strings.Contains(joined, "subscription")
}

// linkedConsent proposes a topic from what another table says about people, and returns false if none says anything. Not are the
// conditions of the people's own refusals.
func (p consenting) linkedConsent(not []string) bool {
	var refusal *link
	for i, l := range p.links {
		if found := consentColumns(l.table); l.one && l.table != p.address.table && len(found) > 0 && found[0].word == "" && formOf(found[0].Column) == truth {
			p.joined(l, true)
			yes := p.sql().yes(p.quote(l.table, found[0].Column), found[0].Column)
			p.Topics = append(p.Topics, Topic{When: p.expression(truthOf(append([]string{yes}, not...)), squashed(found[0].Name))})
			p.guessed(l, "it says who wants mail")
			return true
		}
		if !aboutMail(l.table) || l.table == p.address.table {
			continue
		}
		if refuses(tokens(l.table.Name)) {
			if refusal == nil {
				refusal = &p.links[i]
			}
			continue
		}
		more, note := p.says(l.table)
		when := p.expression(truthOf(append([]string{p.exists(l, more)}, not...)), "newsletter")
		p.Topics = append(p.Topics, Topic{When: when, Note: note})
		p.guessed(l, "it says who wants mail")
		return true
	}
	if refusal != nil {
		more := ""
		if channel := refusal.table.Column("channel"); channel != nil && slices.Contains(channel.Sample, "email") {
			more = " AND " + p.inner(channel) + " = 'email'"
		}
		when := p.expression(truthOf(append([]string{"NOT " + p.exists(*refusal, more)}, not...)), "subscribed")
		p.Topics = append(p.Topics, Topic{When: when, Note: refusal.table.Title() + " only says who does not want mail. Use it where everybody else has agreed."})
		p.guessed(*refusal, "it says who has opted out")
		return true
	}
	return p.subscribers(not)
}

// agreedWords are the values of a status that mean that somebody wants mail.
var agreedWords = []string{"subscribed", "confirmed", "active", "enabled", "opted_in", "opted-in", "yes", "optin", "direct"}

// says returns the condition under which a row of the table means a consent, and a remark for a person.
func (p consenting) says(t *inspect.Table) (more, note string) {
	note = t.Title() + " says who wants mail."
	for i := range t.Columns {
		c := &t.Columns[i]
		words := tokens(c.Name)
		switch {
		case !hasAny(words, "status", "state") && !hasAny([]string{squash(words)}, "active", "subscribed", "enabled"):
			continue
		case c.Kind == inspect.Text || c.Kind == inspect.Any:
			var yes []string
			for _, v := range slices.Compact(slices.Sorted(slices.Values(c.Sample))) {
				if slices.Contains(agreedWords, strings.ToLower(v)) {
					yes = append(yes, literal(v))
				}
			}
			if len(yes) > 0 {
				words := strings.Join(yes, ", ")
				return fmt.Sprintf(" AND %s IN (%s)", p.inner(c), words), fmt.Sprintf("In %s a yes is %s.", t.Title(), words)
			}
		case c.Kind == inspect.Bool, numeric(c.Sample):
			return " AND " + p.sql().yes(p.inner(c), c), note
		case c.Kind == inspect.Number:
			return " AND " + p.inner(c) + " = 1", fmt.Sprintf("In %s.%s 1 is taken for a yes: make sure of that.", t.Title(), c.Name)
		}
	}
	if others := slices.DeleteFunc(slices.Clone(t.Columns), func(c inspect.Column) bool {
		words := tokens(c.Name)
		return len(words) < 2 || words[len(words)-1] != "id" || !hasAny(words, "newsletter", "list", "topic", "mailinglist", "audience")
	}); len(others) > 0 {
		note += fmt.Sprintf(" If there are several lists, add %s = … to its condition.", others[0].Name)
	}
	return "", note
}

// squashed joins the words of a name with underscores.
func squashed(name string) string { return strings.Join(tokens(name), "_") }

// subscribersTable returns the table of addresses that have subscribed, beside the one of people; nil if there is none.
func (p consenting) subscribersTable() *inspect.Table {
	for _, c := range p.others {
		words := tokens(c.Table.Name)
		joined := squash(words)
		if c.address.table == nil && !c.Table.View && !refuses(words) && !hasAny(words, sideTables...) && nameScore(c.Table) > -20 && (strings.Contains(joined, "subscri") || strings.Contains(joined, "newsletter")) {
			return c.Table
		}
	}
	return nil
}

// subscribers proposes a topic from a table of addresses that have subscribed, beside the one of people.
func (p consenting) subscribers(not []string) bool {
	t := p.subscribersTable()
	if t == nil {
		return false
	}
	email, _ := emailColumn(t)
	more, note := p.says(t)
	p.reaches = true
	exists := fmt.Sprintf("EXISTS (SELECT 1 FROM %s x WHERE lower(%s) = lower(%s)%s)", p.sql().QuoteTable(t), p.inner(email), p.email, more)
	when := p.expression(truthOf(append([]string{exists}, not...)), "newsletter")
	p.Topics = append(p.Topics, Topic{When: when, Note: note})
	p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("Guessed: %s has the addresses that want mail, also of people who are not in %s.", t.Title(), p.Table.Title()))
	return true
}
