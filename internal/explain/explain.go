package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

func newExplainCmd(a *app) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "explain KEY|EMAIL",
		Short: "Tell the whole story of one row: what was sent, what is so now and why, what comes next",
		Long: `Tell all there is to know about the row with a key, or about the rows with an e-mail address, in every
sync: when it was first seen, each change that was sent and answered, on which topics its contact is
and why (or why not), what is in the source and in Owlat now, and what the next run would do.

The source is read, and Owlat is asked for the contact; nothing is changed. --offline tells only what
the ledger knows, which takes no time, needs no API key, and works while a run is under way.

What was sent is kept for as long as the key "history_days" of the configuration says. The story
holds addresses and names.`,
		Example: `  owlat-sync explain 4711
  owlat-sync explain ada@example.com
  owlat-sync explain 4711 --offline`,
		GroupID: groupCare,
		Args:    needArgs(1, 1, "the key of a row, or an address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			word := owlatsync.Trim(args[0])
			if word == "" {
				return usageError(errors.New("what is to be explained needs a key or an address"))
			}
			return a.explainRow(cmd.Context(), word, offline)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask neither the source nor Owlat")
	return cmd
}

// tale is all there is to know about one row.
type tale struct {
	sync    config.Sync
	key     string
	entry   *ledger.Entry // nil: the ledger does not know the row
	history []ledger.HistoryLine

	remote    *owlat.Contact // nil: not asked for, or not there
	remoteErr error          // why the contact could not be looked at

	planned   bool                 // the source was read to its end
	planErr   error                // why what comes next is not known
	row       *owlatsync.Row       // as the source has it now; nil: it has none, or was not asked
	decisions []reconcile.Decision // none: there is nothing to do
	hits      []owlatsync.Hit      // guards that would hold the next run
}

func (a *app) explainRow(ctx context.Context, word string, offline bool) error {
	address, err := owlatsync.NormalizeAddress(word)
	if err != nil {
		address = "" // a key then
	}
	if offline {
		if err := a.needLedger(); err != nil {
			return err
		}
	}
	use := config.UseURL | config.UseSources
	if offline {
		use = config.UseLedger
	}
	return a.withSessionFor(ctx, use, func(ctx context.Context, s *session, syncs []config.Sync) error {
		holders, err := s.holders(ctx, address)
		if err != nil {
			return err
		}
		told := 0
		failed := s.each(ctx, syncs, func(ctx context.Context, s *session, sync config.Sync) error {
			tales, err := s.tales(ctx, sync, word, address, holders, offline)
			for _, t := range tales {
				if told++; a.json {
					err = errors.Join(err, a.printJSON(newTaleJSON(t)))
					continue
				}
				if told > 1 {
					a.printf("\n")
				}
				t.print(a)
			}
			return err
		})
		for _, name := range slices.Sorted(maps.Keys(holders)) {
			if s.cfg.Sync(name) == nil {
				a.notef("The ledger knows the address from sync %q too, which %s does not have any more.\n", name, a.configPath)
			}
		}
		if err := s.missed(); err != nil {
			return withHint(err, "with --offline it tells what the ledger knows, and needs no key")
		}
		if len(failed) > 0 || told > 0 {
			return failed.err()
		}
		return s.unknown(ctx, word, address)
	})
}

// holders returns the rows of the ledger that have, or once had, the address, by sync.
func (s *session) holders(ctx context.Context, address string) (map[string][]string, error) {
	if address == "" {
		return nil, nil
	}
	found, err := s.ledger.Holders(ctx, []string{address})
	if err != nil {
		return nil, err
	}
	keys := make(map[string][]string)
	for _, h := range found {
		keys[h.Sync] = append(keys[h.Sync], h.Entry.Key)
	}
	return keys, nil
}

// unknown says that nothing is known, and of whom nothing may be.
func (s *session) unknown(ctx context.Context, word, address string) error {
	if address != "" {
		forgotten, err := s.ledger.Forgotten(ctx, []string{address})
		if err != nil {
			return err
		}
		if forgotten[address] {
			return errors.New("the ledger was asked to forget the person with this address, and the source has no such row")
		}
	}
	return withHint(fmt.Errorf("neither the ledger nor the source has a row with the key or address %q", word),
		"a key is what stands in the column that \"key\" names in the configuration, exactly as the source has it")
}

// tales collects what is known of the rows of a sync that the word means. What could not be found out stands in the tale,
// so that the rest is told all the same.
func (s *session) tales(ctx context.Context, sync config.Sync, word, address string, holders map[string][]string, offline bool) ([]*tale, error) {
	keys := append([]string{rowKeys(sync, []string{word})[0]}, holders[sync.Name]...)
	found := &sought{keys: keys, address: address, keyIsAddress: sync.KeyIsAddress(), rows: make(map[string]*owlatsync.Row)}
	var planErr error
	if !offline {
		planErr = s.seek(ctx, sync, found)
	}
	entries, err := s.ledger.Entries(ctx, sync.Name, found.keys)
	if err != nil {
		return nil, err
	}
	var tales []*tale
	for _, key := range found.keys {
		t := &tale{sync: sync, key: key, entry: entries[key], row: found.rows[key], planErr: planErr, hits: found.hits}
		t.planned = !offline && planErr == nil
		for _, d := range found.decisions {
			if d.Key == key {
				t.decisions = append(t.decisions, d)
			}
		}
		if t.history, err = s.ledger.History(ctx, sync.Name, key); err != nil {
			return nil, err
		}
		if t.entry == nil && t.row == nil && len(t.history) == 0 && len(t.decisions) == 0 {
			continue
		}
		if !offline && t.entry != nil && t.entry.ContactID != "" {
			t.remote, t.remoteErr = s.client.Contacts.Get(ctx, t.entry.ContactID)
		}
		tales = append(tales, t)
	}
	if s.missed() != nil {
		return nil, nil
	}
	if ctx.Err() != nil {
		return tales, ctx.Err()
	}
	if errors.Is(planErr, ledger.ErrLocked) {
		return tales, nil // a run under way is no failure of this command: the tale says so
	}
	return tales, planErr
}

// seek plans the sync and keeps what concerns the rows sought.
func (s *session) seek(ctx context.Context, sync config.Sync, found *sought) error {
	display := s.startDisplay(sync.Name, false)
	defer display.stop()
	return s.withEngine(sync, display.observe, func(e *reconcile.Engine, rs reconcile.Sync) error {
		rs.Source = watched{rs.Source, found.see}
		summary, err := e.Plan(ctx, rs, func(d reconcile.Decision) error {
			if slices.Contains(found.keys, d.Key) {
				found.decisions = append(found.decisions, d)
			}
			return nil
		})
		found.hits = rs.Guards.Hits(summary)
		return err
	})
}

// sought are the rows that are looked for in a source, and those that were found.
type sought struct {
	keys         []string
	address      string // normalised; empty: only the keys count
	keyIsAddress bool

	rows      map[string]*owlatsync.Row // by key, the first of each
	decisions []reconcile.Decision
	hits      []owlatsync.Hit
}

// see takes in a row of the source as it passes.
func (f *sought) see(row *owlatsync.Row) {
	key, address := row.Key, ""
	if f.keyIsAddress || f.address != "" {
		address, _ = owlatsync.NormalizeAddress(row.Email.Value)
	}
	if f.keyIsAddress {
		key = address
	}
	wanted := slices.Contains(f.keys, key)
	if !wanted && f.address != "" && address == f.address {
		f.keys, wanted = append(f.keys, key), true
	}
	if wanted && f.rows[key] == nil {
		kept := *row
		kept.Consents, kept.Properties = slices.Clone(row.Consents), slices.Clone(row.Properties)
		f.rows[key] = &kept
	}
}

// watched shows the rows of a source to somebody before the engine reads them.
type watched struct {
	reconcile.Source
	see func(*owlatsync.Row)
}

// Rows streams the source once.
func (w watched) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for row, err := range w.Source.Rows(ctx) {
			if err == nil {
				w.see(row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// deleted reports whether Owlat says that the contact is no more.
func (t *tale) deleted() bool {
	return errors.Is(t.remoteErr, owlat.ErrNotFound) && !errors.Is(t.remoteErr, owlat.ErrNoRoute)
}

// next says what the next run would do with the row.
func (t *tale) next() []string {
	switch {
	case errors.Is(t.planErr, ledger.ErrLocked):
		return []string{"not known: " + t.planErr.Error()}
	case t.planErr != nil:
		return []string{"not known, because the plan could not be made"}
	case !t.planned:
		return nil
	}
	var lines []string
	for _, d := range t.decisions {
		line := intention(d.Outcome)
		if words := decisionWords(d); words != "" {
			line += ": " + words
		}
		if d.Requests > 0 {
			line += fmt.Sprintf(" (%s)", plural(d.Requests, "request"))
		}
		lines = append(lines, line)
	}
	switch {
	case len(lines) > 0:
	case t.row == nil:
		return []string{fmt.Sprintf("nothing: the row is not in the source any more (on_missing: %s)", t.sync.OnMissing)}
	default:
		return []string{"nothing, the row is in step"}
	}
	for _, hit := range t.hits {
		if hit.Guard == owlatsync.GuardFirstRun {
			lines = append(lines, "as a first run it asks before it writes, or needs --yes")
			continue
		}
		lines = append(lines, fmt.Sprintf("but a guard would hold the run: %s: %s", hit.Guard, hit.Reason))
	}
	return lines
}

// remoteDiffers says in what Owlat's contact is not what the ledger holds.
func (t *tale) remoteDiffers() string {
	var parts []string
	for _, f := range []struct{ name, ledger, owlat string }{
		{"address", t.entry.Email, owlatsync.LowerAddress(t.remote.Email)},
		{"firstName", t.entry.FirstName, t.remote.FirstName},
		{"lastName", t.entry.LastName, t.remote.LastName},
	} {
		if f.ledger != f.owlat {
			parts = append(parts, fmt.Sprintf("%s is %q and not %q", f.name, f.owlat, f.ledger))
		}
	}
	return strings.Join(parts, ", ")
}
