package render

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

// shownFindings is how many differences of each kind are shown as text; JSON has all.
const shownFindings = 20

// Findings shows the differences that a comparison finds, as they come.
type Findings struct {
	to    To
	shown map[reconcile.FindingKind]int
}

// NewFindings returns Findings that have shown nothing yet.
func NewFindings(to To) *Findings {
	return &Findings{to: to, shown: make(map[reconcile.FindingKind]int)}
}

// findingJSON is what "verify --json" prints for each difference.
type findingJSON struct {
	Type      string                `json:"type"`
	Kind      reconcile.FindingKind `json:"kind"`
	Sync      string                `json:"sync,omitempty"`
	Key       string                `json:"key,omitempty"`
	ContactID string                `json:"contact_id,omitempty"`
	Email     string                `json:"email,omitempty"`
	Field     string                `json:"field,omitempty"`
	Ledger    string                `json:"ledger,omitempty"`
	Owlat     string                `json:"owlat,omitempty"` // of a twin: the id of the older contact; of a missing one: of that with its address
	Plan      *decisionJSON         `json:"plan,omitempty"`  // what the next run would do
}

// verifiedJSON is the last line of "verify --json".
type verifiedJSON struct {
	Type        string                        `json:"type"`
	Contacts    int                           `json:"contacts"` // contacts in Owlat
	Rows        int                           `json:"rows"`     // rows of the ledger that were compared
	Differences int                           `json:"differences"`
	Findings    map[reconcile.FindingKind]int `json:"findings"`
	Corrected   int                           `json:"corrected"` // rows of the ledger that were corrected
	Invalid     int                           `json:"invalid"`   // rows whose people are not in Owlat because the rows are invalid
}

// Row shows one difference.
func (v *Findings) Row(f reconcile.Finding) error {
	if v.to.JSON {
		j := findingJSON{"finding", f.Kind, f.Sync, f.Key, f.ContactID, f.Address, f.Field, f.Ledger, f.Owlat, nil}
		if f.Decision != nil {
			plan := newDecisionJSON(f.Sync, *f.Decision)
			j.Plan = &plan
		}
		return v.to.json(j)
	}
	if v.shown[f.Kind]++; v.shown[f.Kind] > shownFindings {
		return nil
	}
	where := "contact " + f.ContactID
	if f.Sync != "" {
		where = fmt.Sprintf("%s, row %s", f.Sync, words.Printable(f.Key))
	}
	v.to.printf("  %-8s  %s: %s\n", f.Kind, where, findingWords(f))
	return nil
}

func findingWords(f reconcile.Finding) string {
	switch f.Kind {
	case reconcile.SourceAhead:
		words := intention(f.Decision.Outcome)
		if f.Decision.Outcome == owlatsync.Failed {
			words = "fail"
		}
		if what := decisionWords(*f.Decision); what != "" {
			words += ": " + what
		}
		return "the next run would " + words
	case reconcile.ChangedInOwlat, reconcile.AddressDiffers:
		return fmt.Sprintf("%s is %q in Owlat, and %q was written", f.Field, f.Owlat, f.Ledger)
	case reconcile.MissingInOwlat:
		text := fmt.Sprintf("its contact %s (%s) is not in Owlat", f.ContactID, words.Printable(f.Address))
		if f.Owlat != "" {
			text += fmt.Sprintf("; %s has the address, so most likely the two were merged", f.Owlat)
		}
		return text
	case reconcile.TwinInOwlat:
		return fmt.Sprintf("%s is the address of the older contact %s too", words.Printable(f.Address), f.Owlat)
	case reconcile.UnknownInOwlat:
		return words.OrElse(words.Printable(f.Address), "no address") + ": no row stands for it"
	}
	return string(f.Kind)
}

// End says how much was compared and found, and what to do. With repair it does not advise one, because it follows.
func (v *Findings) End(result reconcile.Verified, repair bool, typed words.Typed) error {
	if v.to.JSON {
		return v.to.json(verifiedJSON{"verified", result.Contacts, result.Entries, result.Differences(), result.Findings, result.Repaired, result.Invalid})
	}
	var kinds []string
	for _, kind := range reconcile.FindingKinds {
		if n := result.Findings[kind]; n > shownFindings {
			v.to.printf("  %-8s  and %d more; --json lists all\n", kind, n-shownFindings)
		}
		if n := result.Findings[kind]; n > 0 && kind != reconcile.UnknownInOwlat {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if len(result.Findings) > 0 {
		v.to.printf("\n")
	}
	v.to.printf("Compared %s of the ledger with %s in Owlat", words.Plural(result.Entries, "row"), words.Plural(result.Contacts, "contact"))
	if n := result.Findings[reconcile.UnknownInOwlat]; n > 0 {
		v.to.printf(" (no row stands for %d of them)", n)
	}
	if len(kinds) == 0 {
		v.to.printf(": no difference.\n")
		v.invalid(result, typed)
		return nil
	}
	v.to.printf(": %s (%s).\n", words.Plural(result.Differences(), "difference"), strings.Join(kinds, ", "))
	v.invalid(result, typed)
	switch {
	case result.Repaired > 0:
		v.to.printf("%s of the ledger corrected; the run follows.\n\n", words.Several(result.Repaired, "row", "rows"))
	case !repair && result.Differences() == result.Findings[reconcile.SourceAhead]:
		v.to.printf("\"%s\" does what the source asks for; Owlat is as the ledger says.\n", typed.Command("run", ""))
	case !repair && result.Differences() > result.Findings[reconcile.TwinInOwlat]:
		v.to.printf("\"owlat-sync verify --repair\" corrects the ledger to what Owlat holds and runs the syncs.\n")
	}
	if !repair && result.Findings[reconcile.TwinInOwlat] > 0 {
		v.to.printf("Of contacts with one address merge or delete in Owlat what is wrong: no run does.\n")
	}
	return nil
}

// invalid says how many people are missing because their rows are invalid. No run can help them.
func (v *Findings) invalid(result reconcile.Verified, typed words.Typed) {
	if result.Invalid > 0 {
		v.to.printf("%s not in Owlat because of an invalid row; \"%s\" lists them.\n",
			words.Several(result.Invalid, "person of the source is", "people of the source are"), typed.Command("failures --kind invalid", ""))
	}
}
