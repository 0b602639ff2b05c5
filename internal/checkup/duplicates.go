package checkup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile/scan"
)

// shownDuplicates is how many duplicates are named.
const shownDuplicates = 3

const (
	reasonKey     = "another row has the same key"
	reasonAddress = "another row has the same address"
)

// repeated looks for rows that do not count because others have their key or address.
type repeated struct{ *checker }

// find returns the rows that do not count because others have their key or address, and notes that in the tally and in the rows
// that are shown. The ledger tells whose contact has an address; if it cannot be read, the first row counts.
func (c repeated) find(ctx context.Context, s config.Sync, t *tally, shown []Row) []scan.Duplicated {
	all := t.judging.Duplicates(c.holders(ctx, s, t.judging.Shared()))
	for _, d := range all {
		reason := reasonAddress
		if d.Winner.Twin {
			reason = reasonKey
		}
		t.reasons[reason]++
		at := slices.IndexFunc(shown, func(r Row) bool { return r.Position == d.At.String() })
		if at >= 0 {
			shown[at].Valid, shown[at].Outcome, shown[at].Reason = false, owlatsync.Duplicate, d.Winner.Reason()
		}
	}
	return all
}

// holders returns the keys of the sync's rows whose contacts have the addresses.
func (c repeated) holders(ctx context.Context, s config.Sync, addresses []string) (keys map[string][]string) {
	if !c.readable || len(addresses) == 0 {
		return nil
	}
	l, err := c.Opener.Ledger(ctx, c.Config)
	if err != nil {
		return nil
	}
	found, err := l.Holders(ctx, addresses)
	if err = errors.Join(err, l.Close()); err != nil {
		return nil
	}
	keys = make(map[string][]string)
	for _, h := range found {
		if h.Sync == s.Name && h.Entry.ContactID != "" && h.Entry.Origin != ledger.OriginGone {
			keys[h.Entry.Email] = append(keys[h.Entry.Email], h.Entry.Key)
		}
	}
	return keys
}

// tell names rows that do not count, with the rows that count in their place: first those that consent to other topics.
func (c repeated) tell(s config.Sync, t *tally, all []scan.Duplicated) {
	if len(all) == 0 {
		return
	}
	differ := 0
	for _, d := range all {
		if d.Winner.Differs {
			differ++
		}
	}
	slices.SortStableFunc(all, func(a, b scan.Duplicated) int { return cmp.Compare(order(a), order(b)) })
	first := ""
	if t.more {
		first = "the first "
	}
	message := fmt.Sprintf("%d of %s%s do not count, because another row has the same key or address", len(all), first, words.Several(t.rows, "row", "rows"))
	if len(all) == 1 {
		message = strings.Replace(message, "do not count", "does not count", 1)
	}
	if differ > 0 {
		message += fmt.Sprintf("; in %d of them the consents differ", differ)
	}
	for _, d := range all[:min(len(all), shownDuplicates)] {
		message += fmt.Sprintf("\n%s: %s", d.At, d.Winner.Reason())
	}
	if more := len(all) - shownDuplicates; more > 0 {
		message += fmt.Sprintf("\nand %d more; \"owlat-sync failures --kind duplicate\" lists all", more)
	}
	c.found(Finding{Area: AreaSync, Sync: s.Name, Subject: "duplicates", Status: Warning, Message: message})
}

// order puts the rows first that consent to different topics.
func order(d scan.Duplicated) int {
	if d.Winner.Differs {
		return 0
	}
	return 1
}
