package wrap

import (
	"strconv"
	"time"

	"owlatsync/source/internal/cell"
)

// Peak returns the query for the highest value of the cursor that is not before a value and not in the future, in the form that Top has.
// A value in the future stays the highest whatever changes.
func (d *Dialect) Peak(query string, s Since, k cell.Kind, now time.Time) string {
	column := d.name(s.Column)
	until := d.now[k]
	if d.Loose { // whole numbers come before all texts; texts have several forms and zones, so that a day more is not the future
		until = "'" + now.UTC().AddDate(0, 0, 1).Format(MomentLayout) + "'"
	}
	if until != "" {
		until = " AND " + column + " <= " + until
	}
	return d.highest(query, s, k, until)
}

// Count returns the query for the number of rows whose cursor is not before a value, at most most of them.
func (d *Dialect) Count(query string, s Since, most int) string {
	return "SELECT count(*) FROM (SELECT 1 AS one" + d.rows(query) + " WHERE " + d.name(s.Column) + " >= " + d.literal(s.Kind, s.Text) +
		" LIMIT " + strconv.Itoa(most) + ") AS m"
}
