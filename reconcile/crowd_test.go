package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
)

// crowdRow is a row of a small crowd: its key, its address and what it says.
type crowdRow struct {
	key, address string
	yes          bool
}

func (r crowdRow) String() string {
	return r.key + r.address + map[bool]string{true: "+", false: "-"}[r.yes]
}

// consents returns whether the people with an address consent, by address: a yes counts of any row with the key or the address of the
// row that counts, and of any with the key of a row that has that address. Holder is the key of the row whose contact has the address a.
func consents(list []crowdRow, holder string) map[string]bool {
	firsts := make(map[string]crowdRow) // by key
	counts := make(map[string]string)   // the key of the row that counts, by address
	for _, r := range list {
		if _, twin := firsts[r.key]; twin {
			continue
		}
		firsts[r.key] = r
		if _, taken := counts[r.address]; !taken || r.address == "a" && r.key == holder {
			counts[r.address] = r.key
		}
	}
	on := make(map[string]bool)
	for address, key := range counts {
		on[address] = slices.ContainsFunc(list, func(r crowdRow) bool {
			return r.yes && (r.key == key || r.address == address || firsts[r.key].address == address)
		})
	}
	return on
}

// TestAYesOfAnyInEveryCrowd has each crowd of three rows with two keys and two addresses, where one row may have the contact already:
// one run puts on the topic whom a yes of any of them puts there, and takes off whom none does.
func TestAYesOfAnyInEveryCrowd(t *testing.T) {
	t.Parallel()
	var each []crowdRow
	for _, key := range []string{"1", "2"} {
		for _, address := range []string{"a", "b"} {
			each = append(each, crowdRow{key, address, false}, crowdRow{key, address, true})
		}
	}
	for _, holder := range []string{"", "1"} { // the other key and the other address tell the same stories
		for _, said := range []bool{false, true} { // what the holder said before
			if holder == "" && said {
				continue
			}
			t.Run(fmt.Sprint("holder ", holder, " ", said), func(t *testing.T) {
				t.Parallel()
				for _, one := range each {
					if holder == "" && (one.key != "1" || one.address != "a") {
						continue
					}
					w := newWorld(t, reconcile.Topic{ID: "news", When: true})
					w.through = memory.New() // thousands of runs
					w.sync.Duplicates = reconcile.ConsentAny
					for _, two := range each {
						for _, three := range each {
							list := []crowdRow{one, two, three}
							if holder != "" { // and it stays where it is
								at := slices.IndexFunc(list, func(r crowdRow) bool { return r.key == holder })
								if at < 0 || list[at].address != "a" {
									continue
								}
							}
							w.crowd(list, holder, said)
						}
					}
				}
			})
		}
	}
}

// crowd plays one crowd in a sync of its own.
func (w *world) crowd(list []crowdRow, holder string, said bool) {
	w.t.Helper()
	name := strings.Trim(fmt.Sprint(list), "[]")
	name = strings.NewReplacer(" ", "", "+", "y", "-", "n").Replace(name)
	w.sync.Name = name
	email := func(address string) string { return address + "." + name + "@example.com" }
	row := func(r crowdRow) owlatsync.Row { return user(r.key, email(r.address), "A", r.yes) }
	if holder != "" {
		w.run(row(crowdRow{holder, "a", said}))
	}
	var all []owlatsync.Row
	for _, r := range list {
		all = append(all, row(r))
	}
	w.run(all...)
	for address, want := range consents(list, holder) {
		if c := w.contact(email(address)); (len(c.Topics) == 1) != want {
			w.t.Errorf("%v, holder %q who said %v: %s is on the topic: %v", list, holder, said, address, !want)
		}
	}
	before := w.requests()
	w.run(all...)
	w.sent(before)
}
