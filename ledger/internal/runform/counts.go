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
	briefs := make([]ledger.Brief, 1+strings.Count(text, "\n"))
	for i := range briefs {
		line, rest, _ := strings.Cut(text, "\n")
		if err := decodeBrief(line, &briefs[i]); err != nil {
			return nil, err
		}
		text = rest
	}
	return briefs, nil
}

func decodeBrief(line string, b *ledger.Brief) error {
	cells := cells{rest: line, between: '|', more: true}
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
	cells := cells{rest: strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), between: ',', more: true}
	for i := range c.Outcomes {
		c.Outcomes[i] = cells.count()
	}
	c.Requests.Total, c.Requests.Writes, c.Requests.RateLimited = cells.count(), cells.count(), cells.count()
	if cells.bad {
		return fmt.Errorf("%w (the counts of a run cannot be read)", ledger.ErrCorrupt)
	}
	return nil
}

// cells are the values of a line.
type cells struct {
	rest    string
	between byte
	more    bool // another one follows
	bad     bool // one was missing or no number
}

func (c *cells) next() (cell string) {
	c.bad = c.bad || !c.more
	if i := strings.IndexByte(c.rest, c.between); i >= 0 {
		cell, c.rest = c.rest[:i], c.rest[i+1:]
		return cell
	}
	cell, c.rest, c.more = c.rest, "", false
	return cell
}

// number returns the next value as a number.
func (c *cells) number() int64 {
	if n, ok := c.digits(); ok {
		return n
	}
	return c.parse(c.next())
}

// count returns the next value as a number, 0 for null.
func (c *cells) count() int {
	if n, ok := c.digits(); ok {
		return int(n)
	}
	cell := strings.TrimSpace(c.next())
	if cell == "null" {
		return 0
	}
	return int(c.parse(cell))
}

// moment returns the next value as a time, zero for nothing.
func (c *cells) moment() time.Time {
	n, ok := c.digits()
	if !ok {
		cell := c.next()
		if cell == "" {
			return time.Time{}
		}
		n = c.parse(cell)
	}
	return time.UnixMicro(n).UTC()
}

// digits returns the next value if it has digits alone, too few to be too large, and another value follows, as with nearly all of the two hundred thousand
// values of ten thousand runs. Else it stays before the value.
func (c *cells) digits() (n int64, ok bool) {
	const most = 18
	for i := range min(len(c.rest), most+1) {
		digit := c.rest[i] - '0'
		if digit > 9 {
			if ok = i > 0 && c.rest[i] == c.between; ok {
				c.rest = c.rest[i+1:]
			}
			return n, ok
		}
		n = n*10 + int64(digit)
	}
	return 0, false
}

func (c *cells) parse(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	c.bad = c.bad || err != nil
	return n
}
