package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/ledger/sqlite"
	"owlatsync/reconcile"
)

func newFailuresCmd(a *app) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "List the rows that fail, why, and when they are tried again",
		Long: `List what the ledger knows not to be done: rows that fail, with the reason, the number of attempts and
the time of the next one; and events and topic adds of which nobody knows whether they arrived, because
their answer was lost. Neither the source nor Owlat is asked.

A row that fails is tried again by the next runs, after pauses that grow. After 8 attempts, or when
Owlat refuses it for good, it is left alone until it changes or "owlat-sync retry" asks for it. What
is merely unknown is never repeated: an event would fire its automations twice, and a topic add could
undo an opt-out.

The list holds addresses.`,
		Example: `  owlat-sync failures
  owlat-sync failures --csv failures.csv
  owlat-sync failures --json | jq 'select(.parked)'`,
		GroupID: groupCare,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.failures(cmd.Context(), path) },
	}
	cmd.Flags().StringVar(&path, "csv", "", "write the list as CSV to this `file`, - for standard output")
	return cmd
}

// troubleJSON is what "failures --json" prints for each line of the list.
type troubleJSON struct {
	Type     string     `json:"type"`
	Sync     string     `json:"sync"`
	Key      string     `json:"key"`
	Email    string     `json:"email,omitempty"`
	What     string     `json:"what"` // "row", "event" or "topic"
	Category string     `json:"category"`
	Reason   string     `json:"reason"`
	Attempts int        `json:"attempts"`
	First    time.Time  `json:"first"`
	Last     time.Time  `json:"last"`
	NextTry  *time.Time `json:"next_try,omitempty"` // absent: never by itself
	Parked   bool       `json:"parked"`
}

func newTroubleJSON(t reconcile.Trouble) troubleJSON {
	j := troubleJSON{
		Type: "failure", Sync: t.Sync, Key: t.Key, Email: t.Address, What: t.What, Category: t.Category, Reason: t.Reason,
		Attempts: t.Attempts, First: t.First, Last: t.Last, Parked: t.Parked,
	}
	if !t.NextTry.IsZero() {
		j.NextTry = &t.NextTry
	}
	return j
}

func (a *app) failures(ctx context.Context, path string) (err error) {
	if path != "" && a.json {
		return usageError(errors.New("--csv and --json exclude each other"))
	}
	cfg, err := a.loadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	syncs, err := a.selectSyncs(cfg)
	if err != nil {
		return err
	}
	list := &troubleList{app: a}
	finish := func(bool) error { return nil }
	if path != "" {
		if finish, err = list.toCSV(path); err != nil {
			return err
		}
	} else {
		list.toScreen()
	}
	err = a.withLedger(ctx, cfg, func(l *sqlite.Ledger) error { return list.read(ctx, l, syncs) })
	if errors.Is(err, errNoLedger) {
		err = nil // nothing was run, nothing failed
	}
	if err = errors.Join(err, finish(err == nil)); err != nil {
		return err
	}
	list.printEnd(path)
	return nil
}

// troubleList is a list of failures as it is made.
type troubleList struct {
	app   *app
	write func(reconcile.Trouble) error
	table *tabwriter.Writer // nil: the list is no text

	failing, parked, unknown int
	next                     time.Time // of the first attempt to come
}

func (l *troubleList) read(ctx context.Context, from *sqlite.Ledger, syncs []config.Sync) error {
	for _, s := range syncs {
		for e, err := range from.All(ctx, s.Name) {
			if err != nil {
				return err
			}
			for _, t := range reconcile.Troubles(e, s.Name) {
				l.count(t)
				if err := l.write(t); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (l *troubleList) count(t reconcile.Trouble) {
	switch {
	case t.What != "row":
		l.unknown++
	case t.Parked:
		l.failing++
		l.parked++
	default:
		l.failing++
		if l.next.IsZero() || t.NextTry.Before(l.next) {
			l.next = t.NextTry
		}
	}
}

// toScreen makes the list JSON or text on standard output.
func (l *troubleList) toScreen() {
	if l.app.json {
		l.write = func(t reconcile.Trouble) error { return l.app.printJSON(newTroubleJSON(t)) }
		return
	}
	l.table = tabwriter.NewWriter(l.app.stdout, 0, 0, 2, ' ', 0)
	l.write = func(t reconcile.Trouble) error {
		if l.failing+l.unknown == 1 {
			_, _ = fmt.Fprintln(l.table, "SYNC\tKEY\tADDRESS\tWHAT\tATTEMPTS\tNEXT TRY\tREASON")
		}
		_, _ = fmt.Fprintf(l.table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", t.Sync, printable(t.Key), orDash(printable(t.Address)), t.What, t.Attempts, nextTry(t), t.Reason)
		return nil
	}
}

func nextTry(t reconcile.Trouble) string {
	switch {
	case t.What != "row":
		return "never"
	case t.Parked:
		return "when it changes"
	case !t.NextTry.After(time.Now()):
		return "next run"
	}
	return "after " + clock(t.NextTry)
}

// clock writes a time as a person here reads it.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func orDash(s string) string { return orElse(s, "-") }

// toCSV makes the list a CSV file that only its owner may read. finish ends it.
func (l *troubleList) toCSV(path string) (finish func(keep bool) error, err error) {
	columns := []string{"sync", "key", "email", "what", "category", "reason", "attempts", "first", "last", "next_try", "parked"}
	var write func(...string)
	if path == "-" {
		w := csv.NewWriter(l.app.stdout)
		write = func(fields ...string) { _ = w.Write(fields) } // an error stays in the writer
		write(columns...)
		finish = func(bool) error {
			w.Flush()
			return w.Error()
		}
	} else {
		file, err := createReportFile("--csv", path, columns)
		if err != nil {
			return nil, err
		}
		write, finish = file.write, file.close
	}
	l.write = func(t reconcile.Trouble) error {
		write(t.Sync, t.Key, t.Address, t.What, t.Category, t.Reason, strconv.Itoa(t.Attempts),
			stamp(t.First), stamp(t.Last), stamp(t.NextTry), strconv.FormatBool(t.Parked))
		return nil
	}
	return finish, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// printEnd says how much there is on the list and what can be done.
func (l *troubleList) printEnd(path string) {
	a := l.app
	switch {
	case a.json || path == "-":
		return
	case path != "":
		a.printf("written to %s, with addresses: %s\n", path, plural(l.failing+l.unknown, "line"))
		return
	case l.failing+l.unknown == 0:
		a.printf("Nothing fails.\n")
		return
	}
	_ = l.table.Flush()
	a.printf("\n")
	if l.failing > 0 {
		a.printf("%s", several(l.failing, "row fails", "rows fail"))
		if waiting := l.failing - l.parked; waiting > 0 && l.next.After(time.Now()) {
			a.printf("; %s tried again by runs after %s", several(waiting, "is", "are"), clock(l.next))
		} else if waiting > 0 {
			a.printf("; %s tried again by the next run", several(waiting, "is", "are"))
		}
		if l.parked > 0 {
			a.printf("; %s left alone until the row changes, or \"owlat-sync retry KEY\" asks for it", several(l.parked, "is", "are"))
		}
		a.printf(".\n")
	}
	if l.unknown > 0 {
		a.printf("%s unknown and never repeated; look in Owlat what arrived.\n", several(l.unknown, "outcome is", "outcomes are"))
	}
}
