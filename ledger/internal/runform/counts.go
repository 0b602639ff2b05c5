package runform

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"owlatsync/ledger"
)

// DecodeBriefs reads runs that a store packed into one text, which is many times as quick as a row for each: a line for a run, with its number,
// its status, when it began, was heard of last and ended (microseconds since 1970, nothing for no time), and its counts, with "|" between.
// The counts are a list in JSON of the outcomes in the order of owlatsync.Outcomes, and of the requests in all, of the writes and of those
// that were refused for their rate; what a report does not have is null, and without a report there are no counts.
func DecodeBriefs(text string) ([]ledger.Brief, error) {
	if text == "" {
		return nil, nil
	}
	briefs := make([]ledger.Brief, 0, 1+strings.Count(text, "\n"))
	for line := range strings.SplitSeq(text, "\n") {
		var b ledger.Brief
		if err := decodeBrief(line, &b); err != nil {
			return nil, err
		}
		briefs = append(briefs, b)
	}
	return briefs, nil
}

func decodeBrief(line string, b *ledger.Brief) (err error) {
	cells := cells{rest: line, between: "|"}
	b.ID = cells.number()
	b.Status = ledger.Status(cells.next())
	b.Started, b.Heartbeat, b.Finished = cells.moment(), cells.moment(), cells.moment()
	counts := cells.next()
	if cells.bad || cells.more {
		return fmt.Errorf("%w (a run cannot be read in brief)", ledger.ErrCorrupt)
	}
	if counts == "" {
		return nil
	}
	return decodeCounts(counts, &b.Counts)
}

func decodeCounts(text string, c *ledger.Counts) error {
	cells := cells{rest: strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), between: ","}
	for i := range c.Outcomes {
		c.Outcomes[i] = int(cells.number())
	}
	c.Requests.Total, c.Requests.Writes, c.Requests.RateLimited = int(cells.number()), int(cells.number()), int(cells.number())
	if cells.bad {
		return fmt.Errorf("%w (the counts of a run cannot be read)", ledger.ErrCorrupt)
	}
	return nil
}

// cells are the values of a line.
type cells struct {
	rest, between string
	read          bool // a value was read
	more          bool // another one follows
	bad           bool // one was missing or no number
}

func (c *cells) next() (cell string) {
	c.bad = c.bad || c.read && !c.more
	cell, c.rest, c.more = strings.Cut(c.rest, c.between)
	c.read = true
	return cell
}

// number returns the next value as a number, 0 for null.
func (c *cells) number() int64 {
	cell := strings.TrimSpace(c.next())
	if cell == "null" {
		return 0
	}
	n, err := strconv.ParseInt(cell, 10, 64)
	c.bad = c.bad || err != nil
	return n
}

// moment returns the next value as a time, zero for nothing.
func (c *cells) moment() time.Time {
	before := *c
	if c.next() == "" {
		return time.Time{}
	}
	*c = before
	return time.UnixMicro(c.number()).UTC()
}
