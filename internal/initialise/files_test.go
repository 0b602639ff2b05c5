package initialise_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/initialise"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/reconcile"
)

const filesFolder = "testdata/files"

// TestFilesThatPeopleHave reads files as programs and people write them, from the configuration that init makes of each. What is read,
// which rows are invalid and why, or the words of the refusal stand in testdata/files.txt, which UPDATE_SCRIPTS=1 rewrites.
func TestFilesThatPeopleHave(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filesFolder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 40 {
		t.Errorf("there are %d files, want 40", len(entries))
	}
	var got strings.Builder
	for _, entry := range entries {
		fmt.Fprintf(&got, "-- %s --\n%s", entry.Name(), whatIsRead(t, entry.Name()))
	}
	const golden = "testdata/files.txt"
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("files are read otherwise (-want +got):\n%s", diff)
	}
}

// whatIsRead tells what init makes of a file, and what the configuration reads of it.
func whatIsRead(t *testing.T, name string) string {
	t.Helper()
	var b strings.Builder
	path, err := filepath.Abs(filesFolder)
	if err != nil {
		t.Fatal(err)
	}
	sync, notes, err := proposed(t, filepath.Join(path, name))
	if err != nil {
		return "refused: " + strings.ReplaceAll(err.Error(), path, "FOLDER") + "\n"
	}
	fmt.Fprintf(&b, "source %s\n", sync.dsn)
	for _, note := range notes {
		fmt.Fprintf(&b, "mind: %s\n", note)
	}
	src, closeSource, err := setup.Opener{}.Source(sync.Sync)
	if err != nil {
		t.Fatal(err)
	}
	defer closeSource()
	judge := reconcile.NewJudge(sync.Reconcile(src))
	for row, err := range src.Rows(t.Context()) {
		if err != nil {
			fmt.Fprintf(&b, "broke off: %v\n", err)
			break
		}
		if why := judge.Row(row); why != "" {
			fmt.Fprintf(&b, "%s: invalid: %s\n", row.Position, why)
			continue
		}
		fields := []string{row.Key, row.Email.Value}
		for _, f := range row.Fields {
			fields = append(fields, fieldText(f))
		}
		for _, consent := range row.Consents {
			fields = append(fields, consent.String())
		}
		fmt.Fprintf(&b, "%s: %s\n", row.Position, strings.Join(fields, " | "))
	}
	return b.String()
}

func fieldText(f owlatsync.Field) string {
	switch f.State {
	case owlatsync.Set:
		return fmt.Sprintf("%q", f.Value)
	case owlatsync.Null:
		return "NULL"
	}
	return "-"
}

type proposedSync struct {
	config.Sync
	dsn string
}

// proposed returns the sync that init writes for a file, with a topic for each consent that it found.
func proposed(t *testing.T, path string) (sync proposedSync, notes []string, err error) {
	t.Helper()
	dsn, err := sourcedsn.Parse(path, ".")
	if err != nil {
		t.Fatal(err)
	}
	var o setup.Opener
	dsn, text, err := initialise.Complete(o, dsn, path)
	if err != nil {
		return sync, nil, err
	}
	catalog, err := initialise.ReadCatalog(context.Background(), o, dsn)
	if err != nil {
		return sync, nil, err
	}
	p, err := propose.Propose(catalog, &catalog.Tables[0])
	if err != nil {
		return sync, nil, err
	}
	for i := range p.Topics {
		p.Topics[i].ID = fmt.Sprintf("k57topic%024d", i)
	}
	file := filepath.Join(t.TempDir(), "owlat-sync.yaml")
	if err := initialise.WriteNew(file, p.YAML(propose.Settings{URL: "https://owlat.example", DSN: text})); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, config.UseAll, func(name string) (string, bool) {
		return "lm_live_" + strings.Repeat("0", 40), name == config.EnvAPIKey
	})
	if err != nil {
		t.Fatal(err)
	}
	_, options, _ := strings.Cut(text, "?")
	sync.Sync, sync.dsn = cfg.Syncs[0], strings.TrimSuffix(filepath.Base(path)+"?"+options, "?")
	return sync, slices.Concat(p.QueryNotes, p.KeyNotes, p.FieldNotes), nil
}
