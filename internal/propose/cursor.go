package propose

import (
	"owlatsync/internal/inspect"
	"slices"
)

// changedNames are squashed names of columns that say when a row was last changed, the likeliest first.
var changedNames = []string{"updatedat", "modifiedat", "changedat", "updatedon", "modifiedon", "lastupdated", "lastmodified", "lastchanged",
	"datemodified", "dateupdated", "updatetime", "modified", "updated"}

// cursor looks for an indexed column that tells when a row changed.
func (p guess) cursor() {
	if p.Dialect == inspect.File || p.Table.View || len(p.Key) == 0 {
		return
	}
	best := len(changedNames)
	for _, c := range p.Table.Columns {
		times := c.Kind == inspect.Time || p.Dialect == inspect.SQLite && c.Kind == inspect.Text
		if i := slices.Index(changedNames, squash(tokens(c.Name))); i >= 0 && i < best && times && c.Indexed {
			best, p.Cursor = i, c.Name
		}
	}
}
