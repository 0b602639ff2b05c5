package ledgers

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const (
	applyRows  = 40_000
	applyTurns = 3
	news       = 20_000
	newsTurns  = 3
	tellers    = 128
)

const config = `owlat: {url: %q, api_key: %q}
ledger: %q
syncs:
  users:
    source:
      dsn: %q
      query: SELECT id, email, first_name, last_name FROM users
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
`

// runs runs the program over a table that has not changed.
func (b *bench) runs(ctx context.Context) error {
	emulator := &owlattest.Server{}
	listener := httptest.NewServer(emulator)
	defer listener.Close()
	key := emulator.AddKey()
	return b.turn(ran, "a run", turns, func(s *store, n int) (time.Duration, error) {
		took, peak, err := runOnce(ctx, b.program, b.folder, fmt.Appendf(nil, config, listener.URL, key, s.config, b.server), n == turns-1)
		if sent := emulator.Stats().Total; err == nil && sent != 0 {
			err = fmt.Errorf("the run sent %d requests", sent)
		}
		if n == turns-1 {
			s.peak = peak
			fmt.Fprintf(b.log, "a run, %s: peak memory %d MB\n", s.name, peak>>10)
		}
		return took, err
	})
}

// runOnce runs the program and checks that it found every row unchanged.
func runOnce(ctx context.Context, program, folder string, config []byte, watch bool) (took time.Duration, peak int64, err error) {
	file := filepath.Join(folder, "owlat-sync.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return 0, 0, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "run", "--json", "--config", file)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	stop := func() int64 { return 0 }
	if watch {
		stop = made.WatchMemory(cmd.Process.Pid)
	}
	err = cmd.Wait()
	took, peak = time.Since(start), stop()
	if err != nil {
		return 0, 0, fmt.Errorf("owlat-sync run: %w\n%s", err, errOut.Bytes())
	}
	var report owlatsync.Report
	last := bytes.TrimSpace(out.Bytes())
	if err := json.Unmarshal(last[bytes.LastIndexByte(last, '\n')+1:], &report); err != nil {
		return 0, 0, fmt.Errorf("read the report of the run: %w", err)
	}
	if n := report.Outcomes[owlatsync.Unchanged]; n != known || report.Rows != known {
		return 0, 0, fmt.Errorf("the run found %d of %d rows unchanged, not %d", n, report.Rows, known)
	}
	return took, peak, nil
}

// apply creates contacts where nothing holds the engine back.
func (b *bench) apply(ctx context.Context) error {
	return b.turn(applied, "creating contacts", applyTurns, func(s *store, n int) (took time.Duration, err error) {
		book, err := s.open(ctx, fmt.Sprint("apply", n))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, book.Close()) }()
		server := &owlattest.Server{NoLimit: true}
		client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()), owlat.WithoutLimiter())
		if err != nil {
			return 0, err
		}
		sync := reconcile.Sync{Name: "users", Source: made.RowsOf(made.Users(applyRows)), Guards: reconcile.Guards{FirstRun: true}}
		start := time.Now()
		if _, err := reconcile.New(client, book, reconcile.Options{}).Run(ctx, sync, reconcile.RunOptions{}); err != nil {
			return 0, err
		}
		took = time.Since(start)
		standing, err := book.Standing(ctx, sync.Name)
		if err == nil && (standing.Applied != applyRows || server.Len() != applyRows) {
			err = fmt.Errorf("the ledger has %d rows applied and the emulator %d contacts, not %d", standing.Applied, server.Len(), applyRows)
		}
		return took, err
	})
}

// takeIn takes news in from many goroutines.
func (b *bench) takeIn(ctx context.Context) error {
	return b.turn(told, "taking webhooks in", newsTurns, func(s *store, n int) (took time.Duration, err error) {
		l, err := s.open(ctx, fmt.Sprint("news", n))
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		start := time.Now()
		var wg sync.WaitGroup
		failures := make([]error, tellers)
		for t := range tellers {
			wg.Go(func() {
				for i := t; i < news && failures[t] == nil; i += tellers {
					took, err := l.TakeIn(ctx, newsOf(i))
					if err == nil && !took.New {
						err = errors.New("news are not new")
					}
					failures[t] = err
				}
			})
		}
		wg.Wait()
		took = time.Since(start)
		return took, errors.Join(failures...)
	})
}

// newsOf is webhook n, about a person of its own.
func newsOf(n int) ledger.News {
	now := time.Now()
	f := ledger.Feedback{Event: "topic.unsubscribed", ContactID: fmt.Sprint("contact", n), Email: fmt.Sprintf("user%d@example.com", n), At: now, Received: now}
	binary.BigEndian.PutUint64(f.Hash[:], uint64(n)+1)
	return ledger.News{Feedback: f, OptOuts: []ledger.OptOut{{ContactID: f.ContactID, Topic: "t1234567890", At: now}}, Deliveries: []ledger.Delivery{{Target: "crm", Person: f.Email}}}
}
