package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/console"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/render/differences"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

func newVerifyCmd(a *program.App) *cobra.Command {
	var o verifyOptions
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

With the deployment's unsubscribe secret, memberships are compared too, one request for a contact, 20 a
second at most; --memberships=false leaves them out. Runs go on meanwhile.

  left      a run put the contact on the topic, and it is off: the person left, or was taken off in Owlat
  still-on  the source withdrew a consent, and the contact is on the topic
  topic     the topic is not in Owlat any more
  due       the next run adds or removes the contact: no difference, as "source" tells the row
  on        on the topic, and no run put it there: no difference, it is left alone
  off       the row says yes, it is off, and no run puts it there: no difference either

It also says how many people of the source are not in Owlat because their rows are invalid; that is no
difference either. Nothing is changed, and the exit code is 3 when there are differences, or when a contact
could not be read.

With --repair, the ledger is corrected to what Owlat holds, and the syncs are run: what was changed in
Owlat is set right, and contacts that are gone are treated as "on_remote_delete" says, within the
guards. Who has left a topic is recorded, so that no run puts them back, and write-backs are told.
Withdrawn consents are taken off. Nobody is put on a topic because of what was read. It asks first;
where nobody can be asked, it needs --yes. What no policy allows, such as merging twins, is left to you.

The list holds addresses and names.`,
		Example: `  owlat-sync verify
  owlat-sync verify --json | jq 'select(.kind == "missing")'
  owlat-sync verify --repair`,
		GroupID: program.GroupCare,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := a.Asker(cmd.Context())
			o.chosen = cmd.Flags().Changed("memberships")
			if o.repair && ask == nil && !a.Yes {
				return problem.Usage(problem.Hint(errors.New("verify --repair asks before it changes anything, and here is nobody to ask"),
					"\"owlat-sync verify\" shows the differences; with --yes as well they are repaired unasked"))
			}
			return verify(cmd.Context(), a, o, ask)
		},
	}
	cmd.Flags().BoolVar(&o.repair, "repair", false, "correct the ledger to what Owlat holds, and run the syncs")
	cmd.Flags().BoolVar(&o.memberships, "memberships", true, "compare memberships too, where there is an unsubscribe secret")
	return cmd
}

// verifyOptions say what to compare, and whether to repair it.
type verifyOptions struct {
	repair      bool
	memberships bool
	chosen      bool // memberships were asked for
}

func verify(ctx context.Context, a *program.App, o verifyOptions, ask *console.Asker) error {
	r := &runner{}
	open := a.Reader()
	open.Reads = !o.repair
	err := a.WithSessionOf(ctx, open, config.UseAll, func(s *setup.Session, syncs []config.Sync) error {
		if o.memberships && o.chosen && !s.Knows() {
			return problem.Usage(problem.Hint(errors.New("memberships can only be read with the deployment's unsubscribe secret"),
				"set \"unsubscribe_secret\" under \"owlat\", or leave out --memberships"))
		}
		found := differences.New(a.To())
		left := make(map[string]bool) // contacts of which a repair would record something
		// Before a question it only compares: a no must leave everything as it is.
		first := reconcile.VerifyOptions{Repair: o.repair && a.Yes, Members: o.memberships && s.Knows()}
		first.Each = func(f reconcile.Finding) error {
			if o.repair && (f.Kind == reconcile.LeftTopic || f.Kind == reconcile.StillOnTopic) {
				left[f.ContactID] = true
			}
			return found.Row(f)
		}
		result, err := compare(ctx, a, s, syncs, first, found)
		if err != nil {
			return err
		}
		if err := found.End(result, o.repair, a.Typed()); err != nil {
			return err
		}
		unread := notRead(a, s, result)
		switch {
		case result.Differences() == 0:
			return unread
		case !o.repair:
			return cmp.Or(unread, problem.Told(exitcode.FailedRows))
		case !a.Yes:
			yes, err := ask.Confirm("Correct the ledger to what Owlat holds, and run the syncs?")
			if err != nil {
				return err
			}
			if !yes {
				return problem.Told(exitcode.FailedRows)
			}
			again := reconcile.VerifyOptions{Repair: true, Members: len(left) > 0, Only: left}
			if _, err := compare(ctx, a, s, syncs, again, nil); err != nil {
				return err
			}
		}
		failed := a.EachSync(s, syncs, func(sync config.Sync) error { return r.run(ctx, a, s, sync) })
		failed = append(failed, prune(ctx, a, s)...)
		if unread != nil {
			failed = append(failed, unread)
		}
		if twins := result.Findings[reconcile.TwinInOwlat]; len(failed) == 0 && twins > 0 {
			failed = append(failed, exitcode.With(exitcode.FailedRows,
				fmt.Errorf("%s with an address that an older contact has too: merge or delete there what is wrong", words.Several(twins, "contact is left in Owlat", "contacts are left in Owlat"))))
		}
		return failed.Err()
	})
	r.end.End(a.To())
	return err
}

// notRead returns an error if contacts could not be read for their memberships.
func notRead(a *program.App, s *setup.Session, result reconcile.Verified) error {
	m := result.Members
	switch {
	case m == nil || m.Unread == 0:
		return nil
	case m.Ended != nil:
		return a.ExplainError(s.Config, "", fmt.Errorf("the memberships of %s were not read: %w", words.Plural(m.Unread, "contact"), m.Ended))
	}
	return problem.Told(exitcode.FailedRows)
}

// compare tells each difference between the sources of the syncs, the ledger and Owlat. What it is about to read, it says to found, which may
// be nil.
func compare(ctx context.Context, a *program.App, s *setup.Session, syncs []config.Sync, o reconcile.VerifyOptions, found *differences.Findings) (reconcile.Verified, error) {
	display := a.StartDisplay("verify", o.Members, s) // which takes long
	defer display.Stop()
	if each := o.Each; each != nil {
		o.Each = func(f reconcile.Finding) (err error) {
			display.Suspend(func() { err = each(f) })
			return err
		}
	}
	if found != nil {
		o.Before = func(contacts int, perSecond float64) (err error) {
			display.Suspend(func() { err = found.Reading(contacts, perSecond, a.Notef) })
			return err
		}
	}
	result, err := s.Verify(ctx, syncs, o, display.Observe)
	return result, a.ExplainError(s.Config, "", err)
}
