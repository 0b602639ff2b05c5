package problem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

func TestSeveralTellTheGravestCode(t *testing.T) {
	t.Parallel()
	plain, failed := errors.New("x"), problem.Told(exitcode.FailedRows)
	locked := fmt.Errorf("y: %w", &ledger.LockedError{})
	refused := &reconcile.StoppedError{Err: &owlat.Error{Category: owlat.CategoryForbidden, StatusCode: 403}}
	for _, test := range []struct {
		errs problem.Several
		want exitcode.Code
	}{
		{nil, exitcode.OK},
		{problem.Several{plain}, exitcode.Error},
		{problem.Several{failed}, exitcode.FailedRows},
		{problem.Several{failed, plain}, exitcode.Error},
		{problem.Several{plain, locked}, exitcode.Locked},
		{problem.Several{plain, refused}, exitcode.Refused},
		{problem.Several{refused, failed, context.Canceled}, exitcode.Interrupted},
	} {
		if got := exitcode.Of(test.errs.Err()); got != test.want {
			t.Errorf("%v: code %d, want %d", test.errs, got, test.want)
		}
	}
}

func TestAHintIsNoPartOfTheText(t *testing.T) {
	t.Parallel()
	if problem.Hint(nil, "do this") != nil || problem.Usage(nil) != nil {
		t.Error("a nil error must stay nil")
	}
	cause := errors.New("no")
	err := problem.Usage(fmt.Errorf("sync: %w", problem.Hint(cause, "do %s", "this")))
	if err.Error() != "sync: no" || problem.HintOf(err) != "do this" || !errors.Is(err, cause) || exitcode.Of(err) != exitcode.Usage {
		t.Errorf("%v with the hint %q lost something", err, problem.HintOf(err))
	}
	if got := problem.HintOf(problem.Hint(err, "rather that")); got != "rather that" {
		t.Errorf("the outermost hint counts, not %q", got)
	}
	if got := problem.HintOf(cause); got != "" {
		t.Errorf("a hint out of nothing: %q", got)
	}
}

func TestRewordKeepsTheChain(t *testing.T) {
	t.Parallel()
	err := problem.Reword(&reconcile.HeldError{Run: 3}, "held")
	if err.Error() != "held" || exitcode.Of(err) != exitcode.Held || problem.WasTold(err) {
		t.Errorf("%v, code %d", err, exitcode.Of(err))
	}
	if !problem.WasTold(fmt.Errorf("sync: %w", problem.Told(exitcode.Held))) {
		t.Error("what was told is told again")
	}
}
