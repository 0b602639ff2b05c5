package inspect

import (
	"fmt"
	"slices"
	"strings"
)

// form is how a column says yes or no.
type form uint8

const (
	noForm form = iota
	truth       // a boolean, a 0 or 1, or a word such as "yes"
	moment      // a time: there is one, or there is none
)

func formOf(c *Column) form {
	words := tokens(c.Name)
	dated := len(words) > 1 && hasAny(words[len(words)-1:], "at", "on", "date", "time")
	switch c.Kind {
	case Bool:
		return truth
	case Time:
		return moment
	case Number:
		switch {
		case numeric(c.Sample), len(c.Sample) == 0 && !dated:
			return truth
		case dated:
			return moment
		}
	case Text, Any:
		switch {
		case truthful(nonEmpty(c.Sample)):
			return truth
		case dated:
			return moment
		}
	}
	return noForm
}

func nonEmpty(sample []string) []string {
	return slices.DeleteFunc(slices.Clone(sample), func(v string) bool { return v == "" })
}

// worded reports whether a truth column holds words that the database does not take for a truth value. SQLite stores words even in
// a boolean column.
func (d Dialect) worded(c *Column) bool {
	switch c.Kind {
	case Text:
		return true
	case Any, Bool:
		return d == SQLite && len(c.Sample) > 0 && !numeric(c.Sample)
	}
	return false
}

// yes returns the expression that is true if the column says yes; NULL says no.
func (d Dialect) yes(c *Column) string {
	q := d.quote(c.Name)
	if formOf(c) == moment {
		switch {
		case c.Kind == Number:
			return q + " > 0"
		case d == MySQL && c.Kind == Time && zeroDates(c):
			return q + " > '1000-01-01'"
		case c.Kind != Time && slices.Contains(c.Sample, ""):
			return q + " <> ''"
		}
		return q + " IS NOT NULL"
	}
	switch {
	case d.worded(c):
		return fmt.Sprintf("lower(%s) IN (%s)", d.text(q), affirmative)
	case c.Kind == Number:
		return q + " <> 0"
	}
	return q
}

// no returns the expression that is true if the column says no or nothing.
func (d Dialect) no(c *Column) string {
	q := d.quote(c.Name)
	if formOf(c) == moment {
		switch {
		case c.Kind == Number:
			return fmt.Sprintf("COALESCE(%s, 0) = 0", q)
		case d == MySQL && c.Kind == Time && zeroDates(c):
			return fmt.Sprintf("(%s IS NULL OR %s < '1000-01-01')", q, q)
		case c.Kind != Time && slices.Contains(c.Sample, ""):
			return fmt.Sprintf("COALESCE(%s, '') = ''", q)
		}
		return q + " IS NULL"
	}
	switch {
	case d.worded(c):
		return fmt.Sprintf("COALESCE(lower(%s), '') NOT IN (%s)", d.text(q), affirmative)
	case c.Kind == Number && c.Nullable:
		return fmt.Sprintf("COALESCE(%s, 0) = 0", q)
	case c.Kind == Number:
		return q + " = 0"
	case c.Nullable:
		return q + " IS NOT TRUE"
	}
	return "NOT " + q
}

const affirmative = "'t', 'true', 'y', 'yes', 'on', '1'"

// text makes an enumeration comparable with words.
func (d Dialect) text(quoted string) string {
	if d == Postgres {
		return quoted + "::text"
	}
	return quoted
}

func zeroDates(c *Column) bool {
	return slices.ContainsFunc(c.Sample, func(v string) bool { return strings.HasPrefix(v, "0000-00-00") })
}
