package propose

import (
	"regexp"
	"slices"

	"owlatsync/internal/inspect"
)

// key proposes the columns that name a row for good.
func (p guess) key(email *inspect.Column) {
	key := withoutLanguage(p.Table.Key)
	if len(key) < len(p.Table.Key) {
		p.oneLanguage()
	}
	if len(key) == 1 && p.standsFor(key[0]) != "" { // the row of an address, and not of a person
		key = []string{p.standsFor(key[0])}
	}
	if len(key) == 0 {
		key = guessKey(p.Table)
		if len(key) > 0 && p.Table.View {
			p.KeyNotes = append(p.KeyNotes, "A view has no primary key: make sure that this column differs from row to row and stays the same for a person.")
		}
	}
	if slices.Contains(key, email.Name) && len(key) == 1 && p.address.table == nil {
		key = nil
	}
	for _, name := range key {
		if c := p.Table.Column(name); c == nil || c.Kind == inspect.Other || c.Kind == inspect.JSON {
			key = nil // a type that is not text, such as an array
			break
		}
	}
	for _, name := range key {
		p.Key = append(p.Key, p.column(p.Table.Column(name)))
	}
	if len(key) == 0 {
		p.KeyNotes = append(p.KeyNotes,
			"No primary key was found, so the address is the key: a person whose address changes is a new contact.",
			"If a column names a person for good, name it:  key: id")
	}
}

// oneLanguage leaves out the translations of a row.
func (p guess) oneLanguage() {
	c := flagColumn(p.Table, []string{"defaultlangcode", "defaultlanguage", "defaultlang", "defaulttranslation"}, true)
	if c == nil {
		p.KeyNotes = append(p.KeyNotes, "The table has a row for each language of a person: of several rows with one key the first counts.")
		return
	}
	p.Where = append(p.Where, Condition{c.Name, p.sql().yes(p.quote(p.Table, c), c), "of the rows for several languages the default one counts"})
}

// standsFor returns the column of the person if the table holds addresses of people whose own table cannot be read, and the key is that of an
// address; else an empty name.
func (p guess) standsFor(key string) string {
	if !ofAddresses(p.Table) || p.address.table != nil {
		return ""
	}
	for _, c := range p.Table.Columns {
		name := squash(tokens(c.Name))
		for word := range personTables {
			if name == word+"id" && c.Name != key {
				return c.Name
			}
		}
	}
	return ""
}

// numbered are ids as programs make them, such as cus_NffrFeUfNV2Hib.
var numbered = regexp.MustCompile(`^[a-z]{2,8}_[A-Za-z0-9]{6,}$`)

// guessKey looks for a column that identifies a row if there is no primary key.
func guessKey(t *inspect.Table) []string {
	var named, like []string
	for _, c := range t.Columns {
		if !distinct(c.Sample) || c.Nulls > 0 {
			continue
		}
		words := tokens(c.Name)
		own := squash(without(words, personTables))
		isID := hasAny([]string{own}, "id", "uuid", "guid", "uid", "pk", "number", "no", "nr", "recordid", "leid", "euid", "externalid", "ref") ||
			len(words) > 1 && words[len(words)-1] == "id" && hasAny(words[:1], "record", "external", "unique", "system", "object")
		switch {
		case isID && c.Unique && !c.Nullable:
			return []string{c.Name}
		case isID:
			named = append(named, c.Name)
		case len(c.Sample) > 0 && !slices.ContainsFunc(c.Sample, func(v string) bool { return !numbered.MatchString(v) }):
			like = append(like, c.Name)
		}
	}
	if named = append(named, like...); len(named) == 0 {
		return nil
	}
	return named[:1]
}

func distinct(sample []string) bool {
	sorted := slices.Sorted(slices.Values(sample))
	return len(slices.Compact(sorted)) == len(sample)
}
