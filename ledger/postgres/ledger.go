package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger/postgres/internal/entries"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/server"
)

// Ledger is the ledger of one deployment. Its methods are safe for concurrent use.
type Ledger struct {
	*base
	entries.Reader
	syncReader
	journal
	runQueue
	inbox
	mailbox
	outbox
	auditor
	alerts
	archive
	locker
}

func newLedger(b *base) *Ledger {
	l := &Ledger{
		base: b, Reader: entries.Reader{Source: source{b}}, syncReader: syncReader{b}, journal: journal{b}, runQueue: runQueue{b},
		inbox: inbox{b}, mailbox: mailbox{b}, outbox: outbox{b}, auditor: auditor{b}, alerts: alerts{b}, locker: locker{b},
	}
	l.archive = archive{base: b, locker: l.locker}
	return l
}

// base is what all parts of a ledger share.
type base struct {
	db     *core
	name   string
	id     atomic.Int64 // of the deployment; 0: not known yet, or not there
	syncs  numbers
	topics entryrow.Topics
	calls  calls

	mu     sync.Mutex
	closed bool
	done   chan struct{} // closed with the ledger
	held   map[*lock]struct{}
}

// isClosed reports whether the ledger is closed.
func (b *base) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed || b.db.closed.Load()
}

// number returns the number of the deployment, 0 if nothing was ever written.
func (b *base) number(ctx context.Context) (int64, error) {
	if id := b.id.Load(); id != 0 {
		return id, nil
	}
	id, err := b.db.find(ctx, b.name)
	b.id.Store(id)
	return id, err
}

// create returns the number of the deployment, and makes its row if there is none.
func (b *base) create(ctx context.Context) (int64, error) {
	if id := b.id.Load(); id != 0 {
		return id, nil
	}
	id, err := b.db.create(ctx, b.name)
	b.id.Store(id)
	return id, err
}

// find returns the number of a deployment, 0 if nothing was ever written.
func (d *core) find(ctx context.Context, name string) (id int64, err error) {
	err = d.Pool.QueryRow(ctx, d.SQL("SELECT id FROM @deployments WHERE name = $1"), name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

// create returns the number of a deployment, and makes its row if there is none.
func (d *core) create(ctx context.Context, name string) (id int64, err error) {
	if id, err := d.find(ctx, name); id != 0 || err != nil {
		return id, err
	}
	if d.ReadOnly {
		return 0, server.ErrReadOnly
	}
	err = d.Pool.QueryRow(ctx, d.SQL(`INSERT INTO @deployments AS d (name) VALUES ($1)
		ON CONFLICT (name) DO UPDATE SET name = d.name RETURNING id`), name).Scan(&id)
	return id, err
}

// Close refuses further calls with ledger.ErrClosed and releases the lock if it is held. The database stays open. Further calls do nothing.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.done)
	held := make([]*lock, 0, len(l.held))
	for k := range l.held {
		held = append(held, k)
	}
	l.mu.Unlock()
	var errs []error
	for _, k := range held {
		errs = append(errs, k.Release())
	}
	return errors.Join(errs...)
}

// Unwritable returns why the ledger cannot be written, nil if it could be when it was opened.
func (l *Ledger) Unwritable() error {
	if l.db.ReadOnly {
		return server.ErrReadOnly
	}
	return nil
}

// numbers remembers the numbers of texts. The zero value knows none.
type numbers struct {
	mu    sync.Mutex
	known map[string]int64
}

func (n *numbers) of(text string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known[text]
}

func (n *numbers) keep(text string, id int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[string]int64)
	}
	n.known[text] = id
}

func (n *numbers) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = nil
}
