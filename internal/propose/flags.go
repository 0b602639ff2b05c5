package propose

import (
	"fmt"
	"slices"
	"strings"

	"owlatsync/internal/inspect"
)

// form is how a column says yes or no.
type form uint8

const (
	noForm form = iota
	truth       // a boolean, a 0 or 1, or a word such as "yes"
	moment      // a time: there is one, or there is none
)

func formOf(c *inspect.Column) form {
	words := tokens(c.Name)
	dated := len(words) > 1 && hasAny(words[len(words)-1:], "at", "on", "date", "time", "until", "till") ||
		len(words) == 1 && hasAny(words, "deleteat", "deletedat", "createat", "updateat", "confirmedat", "verifiedat", "disabledat", "bannedat")
	switch c.Kind {
	case inspect.Bool:
		return truth
	case inspect.Time:
		return moment
	case inspect.Number:
		switch {
		case numeric(c.Sample), len(c.Sample) == 0 && !dated:
			return truth
		case dated:
			return moment
		}
	case inspect.Text, inspect.Any:
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
func (d dialect) worded(c *inspect.Column) bool {
	switch c.Kind {
	case inspect.Text:
		return true
	case inspect.Any, inspect.Bool:
		return d.Dialect == inspect.SQLite && len(c.Sample) > 0 && !numeric(c.Sample)
	}
	return false
}

// yes returns the expression that is true if the column, written as q, says yes; NULL says no.
func (d dialect) yes(q string, c *inspect.Column) string {
	if formOf(c) == moment {
		switch {
		case c.Kind == inspect.Number:
			return q + " > 0"
		case d.Dialect == inspect.MySQL && c.Kind == inspect.Time && zeroDates(c):
			return q + " > '1000-01-01'"
		case c.Kind != inspect.Time && slices.Contains(c.Sample, ""):
			return q + " <> ''"
		}
		return q + " IS NOT NULL"
	}
	switch {
	case d.worded(c):
		return fmt.Sprintf("lower(%s) IN (%s)", d.text(q), affirmative)
	case c.Kind == inspect.Number:
		return q + " <> 0"
	}
	return q
}

// no returns the expression that is true if the column, written as q, says no or nothing.
func (d dialect) no(q string, c *inspect.Column) string {
	if formOf(c) == moment {
		switch {
		case until(c) && c.Kind == inspect.Time:
			return fmt.Sprintf("(%s IS NULL OR %s < %s)", q, q, d.now())
		case c.Kind == inspect.Number:
			return fmt.Sprintf("COALESCE(%s, 0) = 0", q)
		case d.Dialect == inspect.MySQL && c.Kind == inspect.Time && zeroDates(c):
			return fmt.Sprintf("(%s IS NULL OR %s < '1000-01-01')", q, q)
		case c.Kind != inspect.Time && slices.Contains(c.Sample, ""):
			return fmt.Sprintf("COALESCE(%s, '') = ''", q)
		}
		return q + " IS NULL"
	}
	switch {
	case d.worded(c):
		return fmt.Sprintf("COALESCE(lower(%s), '') NOT IN (%s)", d.text(q), affirmative)
	case c.Kind == inspect.Number && c.Nullable:
		return fmt.Sprintf("COALESCE(%s, 0) = 0", q)
	case c.Kind == inspect.Number:
		return q + " = 0"
	case c.Nullable:
		return q + " IS NOT TRUE"
	}
	return "NOT " + q
}

// until reports whether the column is a time up to which something holds.
func until(c *inspect.Column) bool {
	words := tokens(c.Name)
	return hasAny(words[len(words)-1:], "until", "till")
}

const affirmative = "'t', 'true', 'y', 'yes', 'on', '1'"

func zeroDates(c *inspect.Column) bool {
	return slices.ContainsFunc(c.Sample, func(v string) bool { return strings.HasPrefix(v, "0000-00-00") })
}
