package propose

import (
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/garbled"
	"owlatsync/internal/inspect"
)

// filing reads what the export of a product says of consents. A file has no query: its columns are used as they are, with lists of
// the values that mean yes and no.
type filing struct{ guess }

// The values by which exports say yes and no, in small letters, beside those that are always understood.
var (
	yesValues = []string{
		"subscribed", "subscribe", "opted in", "opted-in", "opt-in", "optin", "opted_in", "granted", "given", "accepted", "agreed", "consented", "confirmed", "explicit",
		"single opt-in", "double opt-in", "checked", "x", "ja", "j", "oui", "si", "sí", "sì", "sim", "tak", "ano", "angemeldet", "abonniert", "abonné", "inscrit", "wahr", "vrai",
	}
	noValues = []string{
		"unsubscribed", "unsubscribe", "not subscribed", "not_subscribed", "never subscribed", "never_subscribed", "non-subscribed", "nonsubscribed", "opted out", "opted-out",
		"opt-out", "optout", "opted_out", "denied", "declined", "refused", "revoked", "withdrawn", "none", "not set", "not_set", "unknown", "unchecked", "pending", "unconfirmed",
		"redacted", "invalid", "cleaned", "bounced", "complained", "suppressed", "blocked", "blocklisted", "blacklisted", "transactional", "archived", "inactive", "deleted",
		"nein", "non", "não", "nao", "nie", "ne", "nee", "abgemeldet", "désabonné", "désinscrit", "falsch", "faux",
	}
	optOutNames = []string{"unsub", "optout", "optedout", "suppress", "cleaned", "bounce", "blacklist", "blocklist", "donotcontact", "donotmail", "abgemeldet", "abmeldung", "desinscri", "désinscri", "complain"}
)

// meaning returns the values of a column that mean yes and no in lists, empty where the usual words say it; ok says that every value
// means one of both.
func meaning(c *inspect.Column) (yes, no []string, ok bool) {
	usual := 0
	for _, v := range slices.Compact(slices.Sorted(slices.Values(nonEmpty(c.Sample)))) {
		word := strings.ToLower(strings.TrimSpace(v))
		_, known := truthWords[word]
		switch {
		case known:
			usual++
		case slices.Contains(yesValues, word):
			yes = append(yes, v)
		case slices.Contains(noValues, word):
			no = append(no, v)
		default:
			return nil, nil, false
		}
	}
	if usual > 0 && len(yes)+len(no) > 0 { // a list takes the place of the usual words with its meaning
		for _, v := range slices.Compact(slices.Sorted(slices.Values(nonEmpty(c.Sample)))) {
			switch means, known := truthWords[strings.ToLower(strings.TrimSpace(v))]; {
			case known && means && len(yes) > 0:
				yes = append(yes, v)
			case known && !means && len(no) > 0:
				no = append(no, v)
			}
		}
	}
	return yes, no, usual+len(yes)+len(no) > 0
}

// consents proposes a topic for each column that says who wants mail, or for one that says who does not.
func (p filing) consents() {
	if why := p.optOuts(); why != "" {
		p.QueryNotes = append(p.QueryNotes, "Everybody in this file seems to have opted out: "+why+
			". Do not sync it. \"owlat-sync topic remove TOPIC --from FILE\" takes them off a topic.")
		return
	}
	var refusals []*inspect.Column
	for i := range p.Table.Columns {
		c := &p.Table.Columns[i]
		words := tokens(c.Name)
		if hasAny(words, otherAssent...) {
			continue
		}
		yes, no, ok := meaning(c)
		switch {
		case !ok:
		case refuses(words) && len(opposites(nonEmpty(c.Sample))) > 0:
			refusals = append(refusals, c)
		case assents(words), hasAny(words, "status", "state") && slices.ContainsFunc(slices.Concat(yes, no), func(v string) bool { return strings.Contains(strings.ToLower(v), "subscribed") }):
			p.Topics = append(p.Topics, Topic{When: p.column(c), Yes: yes, No: no})
		}
	}
	for _, c := range refusals {
		p.refusal(c)
	}
	if len(p.Topics) == 0 && len(refusals) == 0 && strings.Contains(squash(tokens(p.Table.Name)), "subscribed") {
		p.Topics = append(p.Topics, Topic{Note: "The file's name says that everybody in it has subscribed."})
	}
}

// refusal proposes a topic of those whom a column does not name as opted out, if each row says which.
func (p filing) refusal(c *inspect.Column) {
	if len(p.Topics) > 0 {
		p.QueryNotes = append(p.QueryNotes, fmt.Sprintf("%s says who does not want mail, and no topic looks at it: leave those rows out of the file.", c.Name))
		return
	}
	if c.Nulls > 0 || len(nonEmpty(c.Sample)) < len(c.Sample) {
		p.QueryNotes = append(p.QueryNotes, fmt.Sprintf(
			"%s says who does not want mail, but an empty cell means no, so it cannot say who does: leave those rows out of the file, or fill its empty cells.", c.Name))
		return
	}
	t := Topic{When: p.column(c), Note: fmt.Sprintf("%s only says who does not want mail, so its no is taken for a yes. Use it where everybody else has agreed.", c.Name)}
	for _, v := range slices.Compact(slices.Sorted(slices.Values(c.Sample))) {
		word := strings.ToLower(strings.TrimSpace(v))
		if truthWords[word] || slices.Contains(yesValues, word) || strings.Contains(word, "unsub") || strings.Contains(word, "opted") {
			t.No = append(t.No, v)
		} else {
			t.Yes = append(t.Yes, v)
		}
	}
	// The other value may come later, and a list takes the place of the usual words with its meaning.
	if len(t.No) == 0 {
		t.No = opposites(t.Yes)
	}
	if len(t.Yes) == 0 {
		t.Yes = opposites(t.No)
	}
	p.Topics = append(p.Topics, t)
}

// opposite has the words that files have beside each other.
var opposite = map[string]string{
	"yes": "no", "true": "false", "1": "0", "y": "n", "t": "f", "on": "off", "ja": "nein", "oui": "non", "unsubscribed": "subscribed", "opted out": "opted in",
}

// opposites returns the words that say the contrary.
func opposites(list []string) (others []string) {
	for _, v := range list {
		word := strings.ToLower(strings.TrimSpace(v))
		for a, b := range opposite {
			switch word {
			case a:
				others = append(others, b)
			case b:
				others = append(others, a)
			}
		}
	}
	slices.Sort(others)
	return slices.Compact(others)
}

// optOuts says why the whole file seems to be a list of people who want no mail; empty if it does not.
func (p filing) optOuts() string {
	name := squash(tokens(p.Table.Name))
	for _, part := range optOutNames {
		if strings.Contains(name, part) {
			return "its name says so"
		}
	}
	if p.Table.Rows == 0 {
		return ""
	}
	for i := range p.Table.Columns {
		c := &p.Table.Columns[i]
		words := tokens(c.Name)
		full := c.Nulls == 0 && len(nonEmpty(c.Sample)) == p.Table.Rows
		if !full || hasAny(words, "sms", "push", "phone", "whatsapp") {
			continue
		}
		yes, no, ok := meaning(c)
		gone := refuses(words) || hasAny(words, "clean", "cleaned", "bounced", "complained", "suppressed")
		switch {
		case gone && formOf(c) == moment:
			return fmt.Sprintf("%s is filled in every row", c.Name)
		case gone && formOf(c) == truth && !slices.ContainsFunc(c.Sample, func(v string) bool { return !truthWords[strings.ToLower(strings.TrimSpace(v))] }):
			return fmt.Sprintf("%s says yes in every row", c.Name)
		case ok && len(yes) == 0 && len(no) > 0 && hasAny(words, "status", "state") && !slices.ContainsFunc(c.Sample, func(v string) bool { return !strings.Contains(strings.ToLower(v), "unsub") }):
			return fmt.Sprintf("%s says so in every row", c.Name)
		}
	}
	return ""
}

// letters notes that the names of a file have lost their letters.
func (p filing) letters() {
	lost, cause := 0, garbled.Cause("")
	for _, name := range append(p.Fields[:], p.FullName) {
		c := p.Table.Column(name)
		if c == nil {
			continue
		}
		for _, v := range c.Sample {
			if found := garbled.CauseOf(v); found != "" {
				lost, cause = lost+1, found
			}
		}
	}
	if lost > 3 {
		p.FieldNotes = append(p.FieldNotes, fmt.Sprintf("Names have lost their letters: %s. Export the file again as UTF-8.", cause))
	}
}
