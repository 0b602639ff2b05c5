package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/reconcile"
)

// shownFindings is how many differences of each kind verify shows; --json has all.
const shownFindings = 20

func newVerifyCmd(a *app) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare source, ledger and Owlat with each other; changes nothing without --repair",
		Long: `Compare the source, the ledger and one listing of all contacts in Owlat (one request for 100 contacts),
and list each difference:

  source    the next run has something to do for the row
  changed   a name in Owlat is not what was written
  address   the contact has another address than was written
  missing   the contact of a row is not in Owlat any more
  twin      two contacts in Owlat have one address; calls by address reach the older
  unknown   a contact in Owlat that no row stands for: no difference, only counted

Owlat's API tells nobody who is on a topic, so memberships cannot be compared. Nothing is changed, and
the exit code is 3 when there are differences.

With --repair, the ledger is corrected to what Owlat holds, and the syncs are run: what was changed in
Owlat is set right, and contacts that are gone are treated as "on_remote_delete" says, within the
guards. It asks first; where nobody can be asked, it needs --yes. What no policy allows, such as
merging twins, is left to you.

The list holds addresses and names.`,
		Example: `  owlat-sync verify
  owlat-sync verify --json | jq 'select(.kind == "missing")'
  owlat-sync verify --repair`,
		GroupID: groupCare,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := a.asker(cmd.Context())
			if repair && ask == nil && !a.yes {
				return usageError(withHint(errors.New("verify --repair asks before it changes anything, and here is nobody to ask"),
					"\"owlat-sync verify\" shows the differences; with --yes as well they are repaired unasked"))
			}
			return a.verify(cmd.Context(), repair, ask)
		},
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "correct the ledger to what Owlat holds, and run the syncs")
	return cmd
}

func (a *app) verify(ctx context.Context, repair bool, ask *asker) error {
	r := &runner{}
	err := a.withSession(ctx, func(ctx context.Context, s *session, syncs []config.Sync) error {
		v := &verifier{session: s, syncs: syncs, shown: make(map[reconcile.FindingKind]int)}
		// Asked, the ledger is only compared at first: a no must leave everything as it is.
		result, err := v.compare(ctx, repair && a.yes, v.show)
		if err != nil {
			return s.explain("", err)
		}
		if err := v.printEnd(result, repair); err != nil {
			return err
		}
		switch {
		case result.Differences() == 0:
			return nil
		case !repair:
			return quiet(exitcode.FailedRows)
		case !a.yes:
			yes, err := ask.confirm("Correct the ledger to what Owlat holds, and run the syncs?")
			if err != nil {
				return err
			}
			if !yes {
				return quiet(exitcode.FailedRows)
			}
			if _, err := v.compare(ctx, true, func(reconcile.Finding) error { return nil }); err != nil {
				return s.explain("", err)
			}
		}
		failed := append(s.each(ctx, syncs, r.run), s.prune(ctx)...)
		if twins := result.Findings[reconcile.TwinInOwlat]; len(failed) == 0 && twins > 0 {
			failed = append(failed, exitcode.With(exitcode.FailedRows,
				fmt.Errorf("%s with an address that an older contact has too: merge or delete there what is wrong", several(twins, "contact is left in Owlat", "contacts are left in Owlat"))))
		}
		return failed.err()
	})
	r.printEnd(a)
	return err
}

// verifier compares, and shows what it finds.
type verifier struct {
	*session
	syncs []config.Sync
	shown map[reconcile.FindingKind]int
}

func (v *verifier) compare(ctx context.Context, repair bool, each func(reconcile.Finding) error) (result reconcile.Verified, err error) {
	var syncs []reconcile.Sync
	for _, sync := range v.syncs {
		src, closeSource, openErr := openSource(sync)
		if openErr != nil {
			return result, fmt.Errorf("sync %q: %w", sync.Name, openErr)
		}
		defer func() { err = errors.Join(err, closeSource()) }()
		syncs = append(syncs, sync.Reconcile(src))
	}
	display := v.startDisplay("verify", false)
	defer display.stop()
	return v.engine(display.observe).Verify(ctx, syncs, repair, func(f reconcile.Finding) error {
		var err error
		display.suspend(func() { err = each(f) })
		return err
	})
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
	Owlat     string                `json:"owlat,omitempty"` // of a twin: the id of the older contact
	Plan      *decisionJSON         `json:"plan,omitempty"`  // what the next run would do
}

// verifiedJSON is the last line of "verify --json".
type verifiedJSON struct {
	Type        string                        `json:"type"`
	Contacts    int                           `json:"contacts"` // that Owlat has
	Rows        int                           `json:"rows"`     // of the ledger that were compared
	Differences int                           `json:"differences"`
	Findings    map[reconcile.FindingKind]int `json:"findings"`
	Corrected   int                           `json:"corrected"` // rows of the ledger
}

// show prints one difference.
func (v *verifier) show(f reconcile.Finding) error {
	if v.app.json {
		j := findingJSON{"finding", f.Kind, f.Sync, f.Key, f.ContactID, f.Address, f.Field, f.Ledger, f.Owlat, nil}
		if f.Decision != nil {
			plan := newDecisionJSON(f.Sync, *f.Decision)
			j.Plan = &plan
		}
		return v.app.printJSON(j)
	}
	if v.shown[f.Kind]++; v.shown[f.Kind] > shownFindings {
		return nil
	}
	where := "contact " + f.ContactID
	if f.Sync != "" {
		where = fmt.Sprintf("%s, row %s", f.Sync, printable(f.Key))
	}
	v.app.printf("  %-8s  %s: %s\n", f.Kind, where, findingWords(f))
	return nil
}

func findingWords(f reconcile.Finding) string {
	switch f.Kind {
	case reconcile.SourceAhead:
		words := intention(f.Decision.Outcome)
		if what := decisionWords(*f.Decision); what != "" {
			words += ": " + what
		}
		return "the next run would " + words
	case reconcile.ChangedInOwlat, reconcile.AddressDiffers:
		return fmt.Sprintf("%s is %q in Owlat, and %q was written", f.Field, f.Owlat, f.Ledger)
	case reconcile.MissingInOwlat:
		return fmt.Sprintf("its contact %s (%s) is not in Owlat", f.ContactID, printable(f.Address))
	case reconcile.TwinInOwlat:
		return fmt.Sprintf("%s is the address of the older contact %s too", printable(f.Address), f.Owlat)
	case reconcile.UnknownInOwlat:
		return orElse(printable(f.Address), "no address") + ": no row stands for it"
	}
	return string(f.Kind)
}

// printEnd says how much was compared and found.
func (v *verifier) printEnd(result reconcile.Verified, repair bool) error {
	a := v.app
	if a.json {
		return a.printJSON(verifiedJSON{"verified", result.Contacts, result.Entries, result.Differences(), result.Findings, result.Repaired})
	}
	var kinds []string
	for _, kind := range reconcile.FindingKinds {
		if n := result.Findings[kind]; n > shownFindings {
			a.printf("  %-8s  and %d more; --json lists all\n", kind, n-shownFindings)
		}
		if n := result.Findings[kind]; n > 0 && kind != reconcile.UnknownInOwlat {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if len(result.Findings) > 0 {
		a.printf("\n")
	}
	a.printf("Compared %s of the ledger with %s in Owlat", plural(result.Entries, "row"), plural(result.Contacts, "contact"))
	if n := result.Findings[reconcile.UnknownInOwlat]; n > 0 {
		a.printf(" (no row stands for %d of them)", n)
	}
	if len(kinds) == 0 {
		a.printf(": no difference.\n")
		return nil
	}
	a.printf(": %s (%s).\n", plural(result.Differences(), "difference"), strings.Join(kinds, ", "))
	switch {
	case result.Repaired > 0:
		a.printf("%s of the ledger corrected; the run follows.\n\n", several(result.Repaired, "row", "rows"))
	case !repair && result.Differences() == result.Findings[reconcile.SourceAhead]:
		a.printf("\"%s\" does what the source asks for; Owlat is as the ledger says.\n", a.command("run", ""))
	case !repair && result.Differences() > result.Findings[reconcile.TwinInOwlat]:
		a.printf("\"owlat-sync verify --repair\" corrects the ledger to what Owlat holds and runs the syncs.\n")
	}
	if !repair && result.Findings[reconcile.TwinInOwlat] > 0 {
		a.printf("Of contacts with one address merge or delete in Owlat what is wrong: no run does.\n")
	}
	return nil
}
