package runform

import (
	"fmt"
	"strconv"
	"strings"

	"owlatsync/ledger"
)

// DecodeCounts reads what the column counts of a run holds: a list in JSON of the outcomes in the order of owlatsync.Outcomes, and of the
// requests in all, of the writes and of those that were refused for their rate. What a report does not have is null. An empty text is no report.
func DecodeCounts(text string, c *ledger.Counts) error {
	*c = ledger.Counts{}
	if text == "" {
		return nil
	}
	rest := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	more := true
	for i := range len(c.Outcomes) + 3 {
		var word string
		if word, rest, more = strings.Cut(rest, ","); i < len(c.Outcomes)+2 && !more {
			break
		}
		n := 0
		if word = strings.TrimSpace(word); word != "null" {
			var err error
			if n, err = strconv.Atoi(word); err != nil {
				return fmt.Errorf("%w (the counts of a run cannot be read)", ledger.ErrCorrupt)
			}
		}
		switch i - len(c.Outcomes) {
		case 0:
			c.Requests.Total = n
		case 1:
			c.Requests.Writes = n
		case 2:
			c.Requests.RateLimited = n
			return nil
		default:
			c.Outcomes[i] = n
		}
	}
	return fmt.Errorf("%w (the counts of a run are cut off)", ledger.ErrCorrupt)
}
