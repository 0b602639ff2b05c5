package propose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// Filter returns the proposed filter of a collection of MongoDB as JSON, empty if all documents count or for another source.
func (p *Proposal) Filter() string {
	if p.Dialect != inspect.Mongo || len(p.Where) == 0 {
		return ""
	}
	var conditions []string
	for _, c := range p.Where {
		conditions = append(conditions, c.SQL)
	}
	return "{" + strings.Join(conditions, ", ") + "}"
}

// mongoFilters returns the conditions that leave out documents, as members of a filter.
func mongoFilters(t *inspect.Table, email *inspect.Column) (out []Condition) {
	add := func(c *inspect.Column, condition, why string) {
		if !slices.ContainsFunc(out, func(o Condition) bool { return o.Column == c.Name }) { // a member has one condition
			out = append(out, Condition{c.Name, inJSON(c.Name) + ": " + condition, why})
		}
	}
	if email.Nulls > 0 {
		add(email, `{"$ne": null}`, "documents without an address are left out")
	}
	for _, m := range meanings {
		if m.wants {
			if c := flagColumn(t, m.names, m.flag); c != nil {
				add(c, mongoYes(c), m.why)
			}
			continue
		}
		for _, c := range flagColumns(t, m.names, m.flag) {
			if formOf(c) != moment || !until(c) { // a filter does not know what time it is
				add(c, mongoNo(c), m.why)
			}
		}
	}
	if c := statusColumn(t); c != nil {
		word := activeWord(c)
		add(c, inJSON(word), fmt.Sprintf("documents with another status than %q are left out", word))
	} else if c := statusFlag(t); c != nil {
		add(c, "1", "documents whose status is 0 are left out")
	}
	if c, word := kindColumn(t); c != nil {
		add(c, inJSON(word), "organisations and the like are left out")
	}
	return out
}

// mongoYes returns the condition that a field says yes.
func mongoYes(c *inspect.Column) string {
	switch {
	case formOf(c) == moment:
		return `{"$ne": null}`
	case c.Kind == inspect.Bool:
		return "true"
	case c.Kind == inspect.Number:
		return `{"$nin": [0, null]}`
	}
	return fmt.Sprintf(`{"$in": [%s]}`, mongoWords(c))
}

// mongoNo returns the condition that a field says no or nothing.
func mongoNo(c *inspect.Column) string {
	switch {
	case formOf(c) == moment:
		return "null"
	case c.Kind == inspect.Bool:
		return `{"$ne": true}`
	case c.Kind == inspect.Number:
		return `{"$in": [0, null]}`
	}
	return fmt.Sprintf(`{"$nin": [%s]}`, mongoWords(c))
}

// mongoWords lists the values that mean yes: the usual ones, in the letter cases that the sample has, and true.
func mongoWords(c *inspect.Column) string {
	words := []string{"true", `"true"`, `"yes"`, `"1"`, `"on"`}
	for _, v := range c.Sample {
		if w := inJSON(v); slices.Contains([]string{"t", "true", "y", "yes", "on", "1"}, strings.ToLower(v)) && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

func inJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text can always be written
	}
	return string(b)
}
