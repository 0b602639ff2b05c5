package ask

import "testing"

func TestListOrLook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reads, contacts, there int
		lists                  bool
	}{
		{1, 0, 0, false}, {2, 0, 0, true}, {2, 99, 0, true}, {2, 100, 0, false}, {3, 199, 0, true}, {3, 250, 0, false}, {4, 250, 0, true},
		{3, 250, 1, true}, {2, 250, 1, false}, {1, 0, 1, true}, {1001, 100_000, 0, false}, {1002, 100_000, 0, true},
	} {
		if lists, reason := listOrLook(c.reads, c.contacts, c.there); lists != c.lists {
			t.Errorf("%+v: %v, because %s", c, lists, reason)
		}
	}
}

func TestNothingWasSeen(t *testing.T) {
	t.Parallel()
	var none *Seen
	if _, ok := none.Find("c"); ok || none.Has("c") {
		t.Error("a listing that was not made has a contact")
	}
}
