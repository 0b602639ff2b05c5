package service

import (
	"testing"

	"owlatsync/ledger"
)

// Bookmark checks how far syncs have read.
func Bookmark(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	got, err := l.Bookmark(t.Context(), "users")
	noError(t, err)
	same(t, "the bookmark of an unknown sync", got, ledger.Bookmark{})

	k := hold(t, l)
	recordUnder(t, k, "users", entry("1"))
	got, err = l.Bookmark(t.Context(), "users")
	noError(t, err)
	same(t, "the bookmark of a sync that has none", got, ledger.Bookmark{})

	users := ledger.Bookmark{Settings: "5e771", Mark: "t 2026-03-01 12:00:00.123456", Full: at(1).UTC(), Due: at(2).UTC(), Entries: 7, Again: []string{"a/b", "c\\d"}}
	others := ledger.Bookmark{Settings: "x", Mark: "n 18446744073709551615", Full: at(3).UTC()}
	noError(t, k.SetBookmark(t.Context(), "users", ledger.Bookmark{Mark: "replaced", Due: at(9), Again: []string{"z"}}))
	noError(t, k.SetBookmark(t.Context(), "users", users))
	noError(t, k.SetBookmark(t.Context(), "others", others))
	if err := k.SetBookmark(t.Context(), "", users); err == nil {
		t.Error("a bookmark was set for a sync without a name")
	}
	noError(t, l.Close())

	l = reopen(t, open, folder)
	for name, want := range map[string]ledger.Bookmark{"users": users, "others": others} {
		got, err := l.Bookmark(t.Context(), name)
		noError(t, err)
		same(t, "the bookmark of "+name+" after opening again", got, want)
	}

	// Bookmarks name rows, perhaps one of a person who is forgotten.
	_, err = l.ForgetPerson(t.Context(), entry("1").Email)
	noError(t, err)
	for _, name := range []string{"users", "others"} {
		got, err := l.Bookmark(t.Context(), name)
		noError(t, err)
		same(t, "the bookmark of "+name+" after somebody was forgotten", got, ledger.Bookmark{})
	}
}
