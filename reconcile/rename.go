package reconcile

import (
	"context"
	"fmt"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
)

// link is a rename that waits for the address of another row.
type link struct {
	key   string
	needs uint64 // the hash of that address
	level int64  // 0: not known yet
}

// planRename plans a rename at once if no other row of the sync has the address; one that waits for another's is put in order
// when all are known.
func (p *planner) planRename(ctx context.Context, it *item) error {
	if !it.Awaits {
		return p.addRename(ctx, it, 0)
	}
	p.chain[ledger.HashText(it.Entry.Email)] = &link{key: it.Row.Key, needs: ledger.HashText(it.Row.Email)}
	return p.spool.addChained(ctx, it)
}

// orderRenames puts the renames that wait for others into an order in which each finds its address free. Rows that exchange
// addresses have no such order: Owlat refuses an address that is held, and a made-up one in between could receive mail.
func (p *planner) orderRenames(ctx context.Context) error {
	for st, err := range p.spool.allChained(ctx) {
		if err != nil {
			return fmt.Errorf("read the renames: %w", err)
		}
		it := st.item
		p.ordered++
		level := p.renameLevel(ledger.HashText(it.Row.Email))
		if level != cyclic {
			err = p.addRename(ctx, it, level)
		} else {
			err = p.addCyclic(ctx, it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cyclic is the level of a rename that is part of a circle, or waits for one.
const cyclic = -1

// renameLevel is how many renames must come before one that needs an address, of which one at least frees it.
func (p *planner) renameLevel(address uint64) int64 {
	const visiting = -2
	var path []*link
	level := int64(1) // of whoever needs what no rename of the chain frees
	for at := p.chain[address]; at != nil; at = p.chain[at.needs] {
		if at.level == visiting || at.level == cyclic {
			level = cyclic
			break
		}
		if at.level > 0 {
			level = at.level + 1
			break
		}
		at.level = visiting
		path = append(path, at)
	}
	for _, at := range slices.Backward(path) {
		if at.level = level; level != cyclic {
			level++
		}
	}
	return level
}

// addCyclic plans what is left of a rename that has no order: the consents that the row withdrew.
func (p *planner) addCyclic(ctx context.Context, it *item) error {
	it.Refused, it.Outcome, it.Events = true, owlatsync.Failed, it.Entry.Events // nothing was changed that an event could tell of
	it.Changes = slices.DeleteFunc(it.Changes, func(c owlatsync.Change) bool { return c.Kind != owlatsync.RemoveTopic })
	it.Reason = fmt.Sprintf("the address belongs to the contact of %s, which is to take another that is not free: "+
		"rows that exchange addresses cannot be renamed by Owlat's API. Give one of them a third address, run, then its final one",
		rowName(p.chain[ledger.HashText(it.Row.Email)].key))
	if err := p.refuse(ctx, it); err != nil || len(it.Changes) == 0 {
		return err
	}
	return p.add(ctx, it, phaseWithdraw, 0)
}

// addRename plans a rename. Consents that the row withdrew do not wait for it.
func (p *planner) addRename(ctx context.Context, it *item, level int64) error {
	withdraw := &item{Row: it.Row, Partial: true}
	for _, c := range it.Changes {
		if c.Kind == owlatsync.RemoveTopic {
			withdraw.Changes = append(withdraw.Changes, c)
		}
	}
	if len(withdraw.Changes) == 0 {
		return p.add(ctx, it, phaseRename, level)
	}
	entry := *it.Entry
	entry.Memberships = slices.Clone(entry.Memberships)
	withdraw.Entry, it.Reread = &entry, true
	if err := p.add(ctx, it, phaseRename, level); err != nil {
		return err
	}
	return p.add(ctx, withdraw, phaseWithdraw, 0)
}
