package glance

import (
	"math"

	"owlatsync/internal/api"
	"owlatsync/internal/page/telling"
)

// Budget is how fast requests are sent to Owlat.
type Budget struct {
	Used, Limit string // with their unit; empty: not known
	Share       string // in percent; empty: not known
	Keys        []Key
}

// Key is how fast requests are sent with one of several API keys.
type Key struct {
	Place       int
	Used, Limit string // requests a second; empty: there is no limit, or it is not known
	Refused     bool
}

// boundless is from how many requests a second on a limit holds nobody up.
const boundless = 100_000

// BudgetOf tells a budget, nil if nothing is known of it. Here says whether this process spends it.
func BudgetOf(b api.Budget, here bool) *Budget {
	var v Budget
	switch {
	case b.Limit >= boundless:
		v.Limit = "no limit"
	case b.Limit > 0:
		v.Limit = telling.Rate(b.Limit) + " a second"
	}
	if here {
		v.Used = telling.Rate(math.Round(b.Used*10)/10) + " a second"
		if b.Limit > 0 && b.Limit < boundless {
			v.Share = telling.Rate(math.Round(100 * b.Used / b.Limit))
		}
	}
	for i, k := range b.Keys {
		one := Key{Place: i + 1, Used: telling.Rate(math.Round(k.Used*10) / 10), Refused: k.Refused}
		if k.Limit > 0 && k.Limit < boundless {
			one.Limit = telling.Rate(k.Limit)
		}
		v.Keys = append(v.Keys, one)
	}
	if v.Used == "" && v.Limit == "" {
		return nil
	}
	return &v
}
