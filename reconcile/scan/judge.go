package scan

import (
	"maps"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/reconcile/policy"
)

// Judge tells which rows of a source would not be sent, without a plan. It is not safe for concurrent use. It holds the key, the address
// and the consents of every valid row.
type Judge struct {
	policies  *policy.Policies
	rd        *Reader
	rows      int
	keys      map[string]*judged   // the first row with each key
	addresses map[string][]*judged // the first rows of their keys with each address, in the order of the source
	twins     []twin
}

// judged is a valid row.
type judged struct {
	order int
	key   string
	at    owlatsync.Position
	says  []owlatsync.Consent
}

// twin is a row whose key an earlier row has.
type twin struct{ row, first *judged }

// Duplicated is a row that does not count.
type Duplicated struct {
	Key    string
	At     owlatsync.Position
	Winner Winner // the row that counts
}

// NewJudge returns a judge of the rows of a sync.
func NewJudge(p *policy.Policies) *Judge {
	return &Judge{policies: p, rd: NewReader(p), keys: make(map[string]*judged), addresses: make(map[string][]*judged)}
}

// Row takes in a row. It returns why the row is invalid, "" if it is not.
func (j *Judge) Row(row *owlatsync.Row) (invalid string) {
	d, key, invalid := j.rd.Read(row)
	if invalid != "" {
		return invalid
	}
	j.rows++
	r := &judged{order: j.rows, key: strings.Clone(key), at: d.Position, says: slices.Clone(d.Consents)}
	if first := j.keys[r.key]; first != nil {
		j.twins = append(j.twins, twin{r, first})
		return ""
	}
	j.keys[r.key] = r
	address := strings.Clone(d.Email)
	j.addresses[address] = append(j.addresses[address], r)
	return ""
}

// Shared returns the addresses that several rows have.
func (j *Judge) Shared() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for address, rows := range j.addresses {
			if len(rows) > 1 && !yield(address) {
				return
			}
		}
	})
}

// Duplicates returns the rows that do not count, in the order of the source. Of several rows with one address that one counts whose
// contact has it, as holders tell by the rows' keys for each address, else the first.
func (j *Judge) Duplicates(holders map[string][]string) (all []Duplicated) {
	found := make(map[int]Duplicated)
	add := func(r, won *judged, w Winner) {
		w.Key, w.At, w.Any = won.key, won.at, j.policies.AnyConsent()
		w.Differs = j.policies.Asks() && !slices.Equal(r.says, won.says)
		found[r.order] = Duplicated{Key: r.key, At: r.at, Winner: w}
	}
	for _, t := range j.twins {
		add(t.row, t.first, Winner{Twin: true})
	}
	for address, rows := range j.addresses {
		at := slices.IndexFunc(rows, func(r *judged) bool { return slices.Contains(holders[address], r.key) })
		won := rows[max(at, 0)]
		for _, r := range rows {
			if r != won {
				add(r, won, Winner{Holds: at >= 0})
			}
		}
	}
	for _, order := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[order])
	}
	return all
}
