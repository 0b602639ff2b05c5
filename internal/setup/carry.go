package setup

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"owlatsync/internal/errand"
	"owlatsync/ledger/postgres"
	"owlatsync/owlat"
)

// lookEvery is how long it is believed who has the ledger.
const lookEvery = 500 * time.Millisecond

// Errands are done for others within the budget of a session. They are safe for concurrent use.
type Errands struct {
	s    *Session
	full *errand.Carrier
	end  func()
	ctx  context.Context // ends with the use of the share
	over context.CancelFunc

	mu     sync.Mutex
	db     *postgres.Database // nil: nobody else has the key
	looked time.Time
	there  bool // another process has the ledger, and with it the budget
	share  *Outside
	part   *errand.Carrier
	using  int // errands that go on with the share
}

// Errands returns what does errands with the client of the session, while held finds nothing wrong; nil: always. While another process has the lock
// of the ledger, they have SharePart of the budget. They end with the session. It is called once, before the session is used.
func (s *Session) Errands(ctx context.Context, held func() error) (*Errands, error) {
	e := &Errands{s: s, end: func() {}}
	e.ctx, e.over = context.WithCancel(context.Background())
	client, err := s.Client, error(nil)
	if held != nil {
		client, err = client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error { return held() }))
	}
	if err != nil {
		return nil, err
	}
	if e.full, err = errand.NewCarrier(client, s.Config.Owlat.APIKey.Reveal()); err != nil {
		return nil, err
	}
	if s.Config.Ledger.Postgres() {
		if e.db, e.end, err = s.opener.Database(ctx, s.Config.Ledger); err != nil {
			return nil, err
		}
	}
	s.errands = e
	return e, nil
}

// Carry does an errand; see errand.Carrier.
func (e *Errands) Carry(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	carrier, done, err := e.carrier(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return carrier.Carry(ctx, sealed)
}

// carrier returns the one that has what may be used of the budget now, and what ends its use.
func (e *Errands) carrier(ctx context.Context) (*errand.Carrier, func(), error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.look(ctx); err != nil {
		return nil, nil, err
	}
	if !e.there {
		return e.full, func() {}, nil
	}
	if e.share == nil {
		if err := e.takeShare(); err != nil {
			return nil, nil, err
		}
	}
	e.using++
	return e.part, e.used, nil
}

// look finds out who has the ledger. The caller holds the mutex.
func (e *Errands) look(ctx context.Context) error {
	if e.db == nil || time.Since(e.looked) <= lookEvery {
		return nil
	}
	who, err := e.db.Holder(ctx, e.s.Config.Name)
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // empty if there is none
	there := who != nil && (who.PID != os.Getpid() || who.Host != host)
	if e.there && !there {
		e.s.Client.Drain()
	}
	e.there, e.looked = there, time.Now()
	if !there && e.using == 0 {
		e.giveBack()
	}
	return nil
}

// used ends the use of the share by one errand.
func (e *Errands) used() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.using--; e.using == 0 && !e.there {
		e.giveBack()
	}
}

func (e *Errands) takeShare() error {
	client, err := e.s.opener.Client(e.s.Config.Owlat, owlat.WithObserver(e.s.count))
	if err != nil {
		return err
	}
	e.share = &Outside{Client: client}
	if err := e.share.withShare(e.ctx, e.s.Config, e.db, "what is asked of the service"); err != nil {
		return err
	}
	e.part, err = errand.NewCarrier(e.share.Client, e.s.Config.Owlat.APIKey.Reveal())
	return err
}

// giveBack lets others have the share. The caller holds the mutex.
func (e *Errands) giveBack() {
	if e.share == nil {
		return
	}
	if err := e.share.Close(); err != nil { // it ends by itself
		e.s.opener.Logger.Warn("the share of the budget is not given back", "error", err)
	}
	e.share, e.part = nil, nil
}

// close gives back what errands need, and ends the wait of those that go on.
func (e *Errands) close() {
	e.over()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.giveBack()
	e.end()
}
