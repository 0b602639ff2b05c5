package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"owlatsync/ledger/sqlite"
	"owlatsync/ledger/transfer"
)

// backup is the ledger as it was, with what the model remembers of that time.
type backup struct {
	export []byte // nil: there is a file instead
	file   string
	copied bool // the file was copied by hand
	known  []*runLog
	told   []optOut
	runs   int
}

// backUp keeps the ledger as it is, for an older one to come back.
func (m *model) backUp() {
	if !slices.ContainsFunc(m.syncs, func(s *modelSync) bool { return len(m.entries(s)) > 0 }) {
		return // to put it back is to lose the ledger
	}
	b := &backup{known: m.remembered(), told: slices.Clone(m.told), runs: len(m.runs)}
	way := m.r.IntN(3)
	b.file = filepath.Join(m.folder, fmt.Sprintf("backup%d.db", b.runs))
	_ = os.Remove(b.file)
	switch l, inFile := m.book.(*sqlite.Ledger); {
	case inFile && way == 0:
		m.must(l.Backup(context.Background(), b.file))
	case inFile && way == 1:
		m.closeBook()
		m.must(copyFile(b.file, m.path))
		m.book = nil
		m.openLedger()
		b.copied = true
	default:
		var export bytes.Buffer
		m.must(transfer.Export(context.Background(), m.book, &export))
		b.export = export.Bytes()
	}
	m.backup = b
}

func copyFile(to, from string) error {
	all, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, all, 0o600)
}

// olderLedger puts the ledger back that was kept, if runs have done something since.
func (m *model) olderLedger() {
	b := m.backup
	if b == nil || !slices.ContainsFunc(m.runs[b.runs:], func(l *runLog) bool { _, granted := l.writes(); return granted > 0 }) {
		m.backUp()
		return
	}
	ctx := context.Background()
	m.lost++
	m.told, m.older = slices.Clone(b.told), slices.Clone(b.known)
	switch {
	case b.export != nil && m.h.in == bookInMemory:
		m.memory = m.newMemory()
		m.book = m.memory
		m.must(transfer.Import(ctx, m.memory, bytes.NewReader(b.export)))
	case b.export != nil:
		m.path = ""
		m.openLedger()
		m.must(transfer.Import(ctx, m.book.(transfer.Store), bytes.NewReader(b.export)))
	case b.copied:
		m.closeBook()
		m.book = nil
		m.must(copyFile(m.path, b.file))
		m.openLedger()
	default:
		m.closeBook()
		m.book = nil
		_, err := sqlite.Restore(ctx, "sqlite", m.path, b.file)
		m.must(err)
		m.openLedger()
	}
	m.tell("  the ledger is as it was before run %d", b.runs+1)
	m.count("older ledgers")
	m.reborn()
	for _, s := range m.syncs {
		s.setBack = true
	}
}

// checkSetBack: plans with an older ledger say that it is older, until a run has come to its end.
func (m *model) checkSetBack(log *runLog) {
	if summary, planned := log.planned(); planned && summary.SetBack != log.setBack {
		m.fail("the ledger is older than what was done: %v, and the plan says: %v", log.setBack, summary.SetBack)
	}
	if log.kept() && log.err == nil {
		log.sync.setBack = false
	}
}
