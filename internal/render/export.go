package render

import (
	"time"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

// Export shows whom an export for Owlat's importer has written to which files; nil: whom it would write.
func Export(to To, sync string, done reconcile.Exported, took time.Duration, files []string) error {
	sum, dry := done.Summary, files == nil
	if to.JSON {
		return to.json(struct {
			Type     string   `json:"type"`
			Sync     string   `json:"sync"`
			DryRun   bool     `json:"dry_run,omitempty"`
			People   int      `json:"people"`
			Left     int      `json:"left"`
			Before   int      `json:"exported_before"`
			Rows     int      `json:"rows"`
			Invalid  int      `json:"invalid"`
			Twice    int      `json:"duplicate"`
			Matched  int      `json:"in_owlat"`
			Requests int      `json:"requests"`
			Seconds  float64  `json:"seconds"`
			Files    []string `json:"files,omitempty"`
		}{"export", sync, dry, done.People, done.Left, done.Held, sum.Rows, sum.Outcomes[owlatsync.Invalid], sum.Outcomes[owlatsync.Duplicate], sum.Adoption.Matched,
			done.Requests, took.Seconds(), files})
	}
	verb := words.Several(done.People, "person was", "people were")
	if dry {
		verb = words.Several(done.People, "person", "people") + " would be"
	}
	to.printf("%s: of %s %s written for Owlat's importer. Listing its contacts took %s.\n", sync, words.Plural(sum.Rows, "row"), verb, words.Plural(done.Requests, "request"))
	for _, line := range []struct {
		n    int
		text string
	}{
		{sum.Adoption.Matched, "in Owlat already"},
		{sum.Outcomes[owlatsync.Invalid], "invalid"},
		{sum.Outcomes[owlatsync.Duplicate], "whose address or key another row has"},
		{done.Held, "exported before, and not in Owlat"},
		{done.Left, "left to runs: the ledger has met them, no mail may go to them, or a spreadsheet would take a value for a formula"},
	} {
		if line.n > 0 {
			to.printf("  not written: %s %s\n", words.Plural(line.n, "row"), line.text)
		}
	}
	if dry || done.People == 0 {
		return nil
	}
	to.printf("\nThe files hold addresses; only you can read them:\n")
	for _, path := range files {
		to.printf("  %s\n", words.Printable(path))
	}
	to.printf("\nNext:\n  1. Import each file once in Owlat's dashboard (Contacts). It asks what a column is and which topic a name means.\n"+
		"  2. Delete the files.\n"+
		"  3. %s   takes the contacts over, and says who is missing\n", to.Typed.Command("run", sync))
	return nil
}
