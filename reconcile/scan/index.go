package scan

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"owlatsync/ledger"
)

// index is the ledger's side of the diff. For every entry of a sync it has the hash of the key and half of the fingerprint: about
// 16 bytes, and up to 16 more once entries are looked up by hash. The fingerprint covers the key, so it tells entries apart whose
// keys share a hash. The index also notes which rows are to be planned, and new rows join it.
//
// A goroutine reads the index from the ledger while the source is read. Most sources give their rows in the order in which the
// ledger met them. So a row is first compared with the entry after the last row's, which needs no search and no more of the index
// than has been read. Only a row that is not there waits for the whole index.
type index struct {
	pages  []*indexPage
	size   int // entries in pages, including new rows
	inStep int // entries in pages that are in step with their rows as last seen
	fresh  int // new rows
	coming <-chan *indexPage
	failed error // why coming ended early; set before it is closed
	cancel context.CancelFunc

	next  int      // likely position of the next row's entry
	slots []uint32 // positions + 1 by hash, open addressing; made at the first search
}

const (
	pageBits = 13
	pageSize = 1 << pageBits
)

// indexPage is a piece of the index that is never copied or moved.
type indexPage struct {
	n      int
	inStep int
	marks  [pageSize]indexMark
	blank  bitSet // Owlat has confirmed no address
	seen   bitSet // the source has the row
	plan   bitSet // the row is to be planned
	bad    bitSet // the row is invalid
	// Where the source has the rows that it has: shift places after their entries, so that a source in the order of the ledger costs
	// nothing, or where places says so.
	shift  int
	placed bool // shift is known
	places *[pageSize]uint32
}

// nowhere is the place of a row of which the source does not tell it.
const nowhere = math.MaxUint32

type indexMark struct {
	key   uint64
	print uint64 // Fingerprint.Lo; for a row to be planned, the hash of its address
}

type bitSet [pageSize / 64]uint64

func (b *bitSet) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *bitSet) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// indexAhead is how many pages may wait to be taken in: 8 million entries, so that the reading hardly ever waits.
const indexAhead = 1024

// loadIndex begins to read the index. The caller must call stop when it no longer needs the index.
func loadIndex(ctx context.Context, l ledger.Reader, sync string) *index {
	ctx, cancel := context.WithCancel(ctx)
	coming := make(chan *indexPage, indexAhead)
	ix := &index{coming: coming, cancel: cancel}
	go func() {
		defer close(coming)
		ix.failed = readIndex(ctx, l, sync, coming)
	}()
	return ix
}

// newIndex returns an empty index for add.
func newIndex() *index {
	none := make(chan *indexPage)
	close(none)
	return &index{coming: none, cancel: func() {}}
}

// add adds entries that the index does not have.
func (ix *index) add(entries map[string]*ledger.Entry) {
	for _, e := range entries {
		if hash := ledger.HashText(e.Key); ix.find(hash, e.Fingerprint.Lo) == unknown {
			ix.put(ledger.IndexEntry{KeyHash: hash, Print: e.Fingerprint.Lo, Blank: e.Email == ""})
		}
	}
}

// await notes that the row with these hashes of key and address is to be planned. At is the position of its entry. A row without an
// entry joins the index, which must be complete.
func (ix *index) await(at int, key, address uint64) int {
	if at == unknown {
		at = ix.put(ledger.IndexEntry{KeyHash: key})
		ix.fresh++
	}
	ix.mark(at).print = address
	page := ix.pages[at>>pageBits]
	page.seen.set(at % pageSize)
	page.plan.set(at % pageSize)
	return at
}

// awaits reports whether the row at the position is to be planned.
func (ix *index) awaits(at int) bool { return ix.pages[at>>pageBits].plan.has(at % pageSize) }

// put appends an entry to a complete index.
func (ix *index) put(e ledger.IndexEntry) (at int) {
	if ix.size%pageSize == 0 {
		ix.pages = append(ix.pages, new(indexPage))
	}
	ix.pages[len(ix.pages)-1].put(e)
	at = ix.size
	ix.size++
	if 4*ix.size > 3*len(ix.slots) {
		ix.hash()
	} else {
		ix.slot(at)
	}
	return at
}

// put appends an entry to a page with room.
func (p *indexPage) put(e ledger.IndexEntry) {
	p.marks[p.n] = indexMark{e.KeyHash, e.Print}
	if e.Print != 0 {
		p.inStep++
	}
	if e.Blank {
		p.blank.set(p.n)
	}
	p.n++
}

func readIndex(ctx context.Context, l ledger.Reader, sync string, to chan<- *indexPage) error {
	send := func(p *indexPage) error {
		select {
		case to <- p:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	page := new(indexPage)
	for e, err := range l.Index(ctx, sync) {
		if err != nil {
			return fmt.Errorf("read the ledger's index: %w", err)
		}
		if page.put(e); page.n < pageSize {
			continue
		}
		if err := send(page); err != nil {
			return err
		}
		page = new(indexPage)
	}
	if page.n == 0 {
		return nil
	}
	return send(page)
}

// stop ends the reading and waits until the ledger is free of it.
func (ix *index) stop() {
	if ix == nil {
		return
	}
	ix.cancel()
	for range ix.coming {
	}
}

// more takes in another page; false means that there is none.
func (ix *index) more() (bool, error) {
	page, ok := <-ix.coming
	if !ok {
		return false, ix.failed
	}
	ix.pages = append(ix.pages, page)
	ix.size += page.n
	ix.inStep += page.inStep
	return true, nil
}

// complete waits for the whole index.
func (ix *index) complete() error {
	for {
		if ok, err := ix.more(); !ok {
			return err
		}
	}
}

func (ix *index) mark(at int) *indexMark { return &ix.pages[at>>pageBits].marks[at%pageSize] }
func (ix *index) spoil(at int)           { ix.pages[at>>pageBits].bad.set(at % pageSize) }
func (ix *index) spoiled(at int) bool    { return ix.pages[at>>pageBits].bad.has(at % pageSize) }
func (ix *index) see(at int)             { ix.pages[at>>pageBits].seen.set(at % pageSize) }
func (ix *index) saw(at int) bool        { return ix.pages[at>>pageBits].seen.has(at % pageSize) }
func (ix *index) blank(at int) bool      { return ix.pages[at>>pageBits].blank.has(at % pageSize) }

// place notes where the source has the row, which it has seen.
func (ix *index) place(at, number int) {
	page := ix.pages[at>>pageBits]
	if page.placed && number == at+page.shift {
		return
	}
	page.place(at, number)
}

func (p *indexPage) place(at, number int) {
	known := number > 0 && number < nowhere
	switch {
	case !p.placed && known:
		p.shift, p.placed = number-at, true
		return
	case !p.placed:
		return
	case p.places == nil:
		p.places = new([pageSize]uint32)
	}
	if !known {
		number = nowhere
	}
	p.places[at%pageSize] = uint32(number)
}

// placeOf returns where the source has the row, 0 if that is not known.
func (ix *index) placeOf(at int) int {
	page := ix.pages[at>>pageBits]
	if !page.placed || !ix.saw(at) {
		return 0
	}
	if page.places != nil && page.places[at%pageSize] != 0 {
		if number := page.places[at%pageSize]; number != nowhere {
			return int(number)
		}
		return 0
	}
	return at + page.shift
}

// unseen counts the entries whose rows the source does not have.
func (ix *index) unseen() int {
	n := ix.size
	for _, p := range ix.pages {
		for _, word := range p.seen {
			n -= bits.OnesCount64(word)
		}
	}
	return n
}

// unseenInStep counts the entries in step whose rows the source does not have.
func (ix *index) unseenInStep() (n int) {
	for _, p := range ix.pages {
		for at := range p.n {
			if p.marks[at].print != 0 && !p.seen.has(at) {
				n++
			}
		}
	}
	return n
}

// unknown is the position of no entry.
const unknown = -1

// locate returns the position of the entry with the key's hash, or unknown. If several entries have it, the fingerprint decides. It
// waits for as much of the index as it needs.
func (ix *index) locate(key, print uint64) (int, error) {
	if ix.next == ix.size {
		if _, err := ix.more(); err != nil {
			return unknown, err
		}
	}
	if at := ix.next; at < ix.size && ix.mark(at).key == key {
		ix.next++
		return at, nil
	}
	if err := ix.complete(); err != nil {
		return unknown, err
	}
	at := ix.find(key, print)
	if at != unknown {
		ix.next = at + 1
	}
	return at, nil
}

// find is locate in a complete index. If no entry with the hash has the fingerprint, it prefers one that is to be planned.
func (ix *index) find(key, print uint64) int {
	if ix.slots == nil {
		ix.hash()
	}
	first, mask := unknown, uint64(len(ix.slots)-1)
	for slot := key & mask; ix.slots[slot] != 0; slot = (slot + 1) & mask {
		at := int(ix.slots[slot] - 1)
		switch m := ix.mark(at); {
		case m.key != key:
		case m.print == print:
			return at
		case first == unknown || ix.awaits(at) && !ix.awaits(first):
			first = at
		}
	}
	return first
}

// hash makes the slots, at least a quarter of them free.
func (ix *index) hash() {
	ix.slots = make([]uint32, 1<<bits.Len(uint(ix.size+ix.size/3)))
	for at := range ix.size {
		ix.slot(at)
	}
}

// slot makes an entry findable by its hash.
func (ix *index) slot(at int) {
	mask := uint64(len(ix.slots) - 1)
	slot := ix.mark(at).key & mask
	for ix.slots[slot] != 0 {
		slot = (slot + 1) & mask
	}
	ix.slots[slot] = uint32(at + 1)
}
