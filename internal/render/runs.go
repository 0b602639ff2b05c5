package render

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

// shownFailures is how many rows of each sync that were not applied are shown at the end; a list has all.
const shownFailures = 10

// A run mentions the rate limit if it met it at least notedRefusals times, and in more than one of notedShare requests.
const notedRefusals, notedShare = 10, 20

// FailureColumns are the columns of a list of rows that were not applied.
var FailureColumns = []string{"sync", "key", "position", "email", "outcome", "category", "reason"}

// List is a list of rows that is written beside what is shown.
type List interface {
	Path() string
	Write(fields ...string)
}

// RunList is a list whose lines a later stretch of a run can take back.
type RunList interface {
	List
	// TakeBack drops the first line that begins with the fields.
	TakeBack(fields ...string)
}

// Runs collects what is shown at the end of the runs of several syncs.
type Runs struct {
	List RunList // nil: no list was asked for

	reports  []*owlatsync.Report
	readings []string // how each sync with a cursor was read
	read     bool     // rows were read
	shown    []shownRow
	count    map[string]int // of shown, by sync
	hidden   int            // rows not applied beyond those shown
	unasked  int            // rows skipped because only others were asked for
	left     int            // rows that an ended run did not reach
	setBack  bool           // the ledger was older than what was done
	twins    int            // addresses that several contacts in Owlat have
}

// shownRow is a row that was not applied, without personal data.
type shownRow struct{ sync, label, outcome, reason string }

// Afresh says that a run reads its source again. As text the display tells it.
func (r *Runs) Afresh(to To, e progress.Afresh) {
	if to.JSON {
		_ = to.json(afreshJSON{"stretch", e.Sync, e.Run, e.Stretch})
	}
}

// Admitted notes that the guards passed the run of a sync.
func (r *Runs) Admitted(plan owlatsync.Summary) {
	r.twins += plan.Adoption.Twins
	r.setBack = r.setBack || plan.SetBack
}

// Row notes the outcome of a row. As JSON it shows it at once.
func (r *Runs) Row(to To, sync config.Sync, e progress.RowDone) {
	if e.Category == ledger.CategoryUnasked {
		r.unasked++
		return
	}
	if to.JSON {
		_ = to.json(newRowJSON(sync, e))
	}
	if e.Before != "" && !e.Before.InStep() && e.Before != owlatsync.Removed {
		r.takeBack(sync, e)
	}
	if !e.Outcome.InStep() && e.Outcome != owlatsync.Removed {
		r.notApplied(sync, e)
	}
}

// takeBack forgets a row that a former stretch of the run did not apply. Such a row has a key.
func (r *Runs) takeBack(sync config.Sync, e progress.RowDone) {
	if r.List != nil {
		r.List.TakeBack(sync.Name, e.Key)
	}
	label := label(sync, e)
	at := slices.IndexFunc(r.shown, func(s shownRow) bool {
		return s.sync == sync.Name && s.label == label && s.outcome == string(e.Before)
	})
	if at < 0 {
		r.hidden--
		return
	}
	r.shown = slices.Delete(r.shown, at, at+1)
	r.count[sync.Name]--
}

// label names a row without personal data.
func label(sync config.Sync, e progress.RowDone) string {
	if key := harmlessKey(sync, e); key != "" {
		return fmt.Sprintf("key %s", words.Printable(key))
	}
	return e.Position
}

// notApplied notes a row for the end of the run and for the list.
func (r *Runs) notApplied(sync config.Sync, e progress.RowDone) {
	if r.List != nil {
		r.List.Write(sync.Name, e.Key, e.Position, e.Address(), string(e.Outcome), string(e.Category), e.Reason)
	}
	if e.Category == ledger.CategoryUnreached {
		r.left++ // all have the same reason, which would hide other reasons
		return
	}
	if r.count[sync.Name] == shownFailures {
		r.hidden++
		return
	}
	if r.count == nil {
		r.count = make(map[string]int)
	}
	r.count[sync.Name]++
	r.shown = append(r.shown, shownRow{sync.Name, label(sync, e), string(e.Outcome), e.Reason})
}

// Report notes the report of a run. As JSON it shows it at once. A run that ended before it could change anything was not admitted:
// it has only its error to show.
func (r *Runs) Report(to To, sync config.Sync, report *owlatsync.Report, admitted bool) error {
	if admitted {
		r.reports = append(r.reports, report)
		if report.Reading != nil {
			r.readings = append(r.readings, fmt.Sprintf("%s read %s.", sync.Name, readingWords(report.Reading, sync.Cursor.Column)))
		}
	}
	r.read = r.read || admitted || report.Rows > 0
	if to.JSON {
		return to.json(reportJSON{"report", report})
	}
	return nil
}

// Reports returns the reports of the runs that were admitted.
func (r *Runs) Reports() []*owlatsync.Report { return r.reports }

// Read reports whether rows were read, so that even an empty list says something.
func (r *Runs) Read() bool { return r.read }

// ForgetRows keeps End from showing the rows that were not applied.
func (r *Runs) ForgetRows() { r.shown = nil }

// notAppliedRows counts all rows that were not applied.
func (r *Runs) notAppliedRows() int { return len(r.shown) + r.hidden + r.left }

// End shows the rows that were not applied and the summary table, as text.
func (r *Runs) End(to To) {
	if to.JSON {
		return
	}
	if len(r.reports) == 0 {
		if r.List != nil && len(r.shown)+r.left > 0 {
			to.printf("Not applied, written to %s, with addresses: %s\n", r.List.Path(), words.Plural(r.notAppliedRows(), "row"))
		}
		return
	}
	r.rows(to)
	to.printf("%s", summaryTable(r.reports))
	for _, text := range r.readings {
		to.printf("%s\n", text)
	}
	r.remarks(to)
}

// rows shows the rows that were not applied.
func (r *Runs) rows(to To) {
	if len(r.shown) == 0 && (r.List == nil || r.left == 0) {
		return
	}
	to.printf("Not applied:\n")
	w := tabwriter.NewWriter(to.W, 0, 0, 2, ' ', 0)
	for _, s := range r.shown {
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", s.sync, s.label, s.outcome, to.Typed.Complete(s.reason))
	}
	_ = w.Flush()
	switch {
	case r.List != nil:
		to.printf("  written to %s, with addresses: %s\n", r.List.Path(), words.Plural(r.notAppliedRows(), "row"))
	case r.hidden > 0:
		to.printf("  and %d more; \"owlat-sync run --failures FILE\" writes all to a file\n", r.hidden)
	}
	to.printf("\n")
}

// addedWords says how many people were added, and how many of them wait.
func addedWords(m owlatsync.MembershipCounts) string {
	return fmt.Sprintf("%d added, %s until the person confirms (double opt-in, link valid %s)",
		m.Added, words.Several(m.Pending, "of them waits", "of them wait"), confirmWithin)
}

// confirmWithin is how long the link of a double opt-in lives, in words.
var confirmWithin = words.Plural(int(ledger.ConfirmWithin.Hours()/24), "day")

// without says of which syncs the run went on as without the unsubscribe secret, once for each reason.
func (r *Runs) without(to To) {
	var reasons []string
	of := make(map[string][]string)
	for _, report := range r.reports {
		why := report.LinksEnded
		if why == "" {
			continue
		}
		if of[why] == nil {
			reasons = append(reasons, why)
		}
		of[why] = append(of[why], report.Sync)
	}
	for _, why := range reasons {
		to.printf("\n%s: %s.\n", strings.Join(of[why], ", "), to.Typed.Complete(withoutLinks(why)))
	}
}

// withoutLinks says what it means that the secret was refused or nothing answered, and what to do.
func withoutLinks(why string) string {
	return "the unsubscribe secret could not be used to the end, and the run went on as without it: " + words.Printable(why) + "; \"owlat-sync check\" tests it"
}

// notImported says of people who were exported for import that Owlat does not have them.
func notImported(n int) string {
	return words.Several(n, "person was", "people were") + " exported for Owlat's importer and " + map[bool]string{true: "is", false: "are"}[n == 1] +
		" not in Owlat: not imported yet, left out there, or deleted since. Import the files, or let \"owlat-sync run --create-missing\" create them; " +
		"\"owlat-sync failures\" lists them"
}

// refusedKeys says for which of several API keys others stood in.
func refusedKeys(places []int) string {
	return "Owlat refused " + words.Places("key", places) + " of \"api_keys\", at all or for what needs a scope, and the others did the work, more slowly; " +
		"\"owlat-sync check\" tests each"
}

// remarks adds what the numbers do not say.
func (r *Runs) remarks(to To) {
	if r.twins > 0 {
		to.printf("\nOwlat has several contacts for %s; the oldest counts, and \"owlat-sync verify\" lists them.\n", words.Several(r.twins, "address", "addresses"))
	}
	if r.setBack {
		to.printf("\nThe ledger was older than what was done: a backup, a copy or an export took its place, or its .age file was missing. Consents that\n" +
			"it did not know counted as old: those people were left as they are, because they may have left. \"owlat-sync explain\" tells it\n" +
			"of a row, and \"owlat-sync topic add\" adds people of whom you are sure.\n")
	}
	for _, report := range r.reports {
		if m := report.Memberships; m.Pending > 0 {
			to.printf("\n%s: %s.\n", report.Sync, addedWords(m))
		}
	}
	r.without(to)
	for _, report := range r.reports {
		if report.NotImported > 0 {
			to.printf("\n%s: %s.\n", report.Sync, to.Typed.Complete(notImported(report.NotImported)))
		}
		if len(report.KeysRefused) > 0 {
			to.printf("\n%s: %s.\n", report.Sync, to.Typed.Complete(refusedKeys(report.KeysRefused)))
		}
	}
	if r.unasked > 0 {
		to.printf("\n%s skipped because --only or --limit asked for others.\n", words.Several(r.unasked, "row was", "rows were"))
	}
	if r.left > 0 {
		to.printf("\n%s left when the run ended; the next run takes them up.\n", words.Several(r.left, "row was", "rows were"))
	}
	for _, report := range r.reports {
		if why := report.Spoiled(); why != "" {
			to.printf("\n%s: %s \"owlat-sync failures --kind invalid\" lists them.\n", report.Sync, why)
		}
	}
	failed, limited, requests := 0, 0, 0
	for _, report := range r.reports {
		failed += report.Outcomes[owlatsync.Failed]
		limited += report.Requests.RateLimited
		requests += report.Requests.Total
	}
	if limited >= notedRefusals && limited*notedShare > requests {
		to.printf("\n%d of %d requests were refused (429): something else seems to use this API key. Give it a key of its own, or set\n"+
			"\"requests_per_second\" to a part of the limit.\n", limited, requests)
	}
	if failed > 0 {
		to.printf("\n%s failed; what can pass later is tried again by the next runs. \"owlat-sync failures\" lists them.\n", words.Plural(failed, "row"))
	}
}
