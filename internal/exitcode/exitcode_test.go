package exitcode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/source"
)

func TestOf(t *testing.T) {
	t.Parallel()
	refusal := func(c owlat.Category) error { return &owlat.Error{Category: c, StatusCode: 400} }
	for _, test := range []struct {
		err  error
		want Code
	}{
		{nil, OK},
		{errors.New("x"), Error},
		{context.DeadlineExceeded, Error},
		{fmt.Errorf("run: %w", context.Canceled), Interrupted},
		{fmt.Errorf("sync: %w", reconcile.ErrInterrupted), Interrupted},
		{&ledger.LockedError{Owner: ledger.Owner{PID: 1}}, Locked},
		{fmt.Errorf("sync: %w", &reconcile.HeldError{Run: 1}), Held},
		{&reconcile.MovedError{Run: 1}, Held},
		{refusal(owlat.CategoryUnauthenticated), Refused},
		{&reconcile.StoppedError{Err: refusal(owlat.CategoryForbidden)}, Refused},
		{&owlat.PreferencesError{Reason: owlat.ReasonInvalidSignature}, Usage},
		{&owlat.PreferencesError{Reason: owlat.ReasonExpired}, Error},
		{owlat.ErrNoUnsubscribeSecret, Usage},
		{refusal(owlat.CategoryLimitReached), Refused},
		{refusal(owlat.CategoryNotFound), Error},
		{refusal(owlat.CategoryInternal), Error},
		{&reconcile.SourceError{Err: errors.Join(&source.ColumnError{Column: "id"})}, Usage},
		{&ledger.DeploymentError{}, Usage},
		{fmt.Errorf("open: %w", source.ErrNotQuery), Usage},
		{fmt.Errorf("open ledger: %w: no number", ledger.ErrBadURL), Usage},
		{fmt.Errorf("open ledger: %w", ledger.ErrAway), Error},
		{&reconcile.SourceError{Err: errors.New("connection lost")}, Error},
		{With(Usage, errors.New("x")), Usage},
		{fmt.Errorf("outer: %w", With(FailedRows, context.Canceled)), FailedRows},
		{With(Held, With(Usage, errors.New("x"))), Held},
	} {
		if got := Of(test.err); got != test.want {
			t.Errorf("Of(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}

func TestWithKeepsTheError(t *testing.T) {
	t.Parallel()
	if With(Usage, nil) != nil {
		t.Error("a nil error must stay nil")
	}
	err := With(Usage, fmt.Errorf("open: %w", context.Canceled))
	if err.Error() != "open: context canceled" || !errors.Is(err, context.Canceled) {
		t.Errorf("%v lost its text or its chain", err)
	}
}

func TestHelpListsEveryCode(t *testing.T) {
	t.Parallel()
	help := Help()
	for _, c := range All() {
		if !strings.Contains(help, fmt.Sprintf("%3d  %s\n", int(c), c)) {
			t.Errorf("the help lacks %d: %s", int(c), help)
		}
	}
	if got := Code(7).String(); got != "exit code 7" {
		t.Errorf("an unknown code is %q", got)
	}
}
