package intern

import (
	"errors"
	"testing"
)

func TestNumbersOfAnUndoneTransactionAreForgotten(t *testing.T) {
	t.Parallel()
	var n Numbers[string]
	asked := 0
	of := func(text string) int64 {
		t.Helper()
		id, err := n.Of(text, func() (int64, error) { asked++; return int64(asked), nil })
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if a, again := of("a"), of("a"); a != 1 || again != 1 || !n.Has("a") {
		t.Errorf("in a transaction: %d, then %d", a, again)
	}
	n.Rollback()
	if n.Has("a") || of("a") != 2 {
		t.Error("the number of an undone transaction is still known")
	}
	n.Commit()
	n.Rollback()
	if !n.Has("a") || of("a") != 2 || of("b") != 3 {
		t.Error("the number of a committed transaction is not known")
	}
	no := errors.New("no")
	if _, err := n.Of("c", func() (int64, error) { return 9, no }); !errors.Is(err, no) || n.Has("c") {
		t.Errorf("after an error: %v, known %v", err, n.Has("c"))
	}
}
