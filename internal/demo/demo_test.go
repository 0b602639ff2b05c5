package demo

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"owlatsync"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	ids := map[string]int{}
	names := map[string]bool{}
	var unconfirmed, deleted, invalid, duplicates, optIns, nameless, capitals int
	for i, u := range users() {
		if u.id != i+1 {
			t.Fatalf("user %d has the id %d", i+1, u.id)
		}
		if _, domain, ok := strings.Cut(strings.TrimSpace(strings.ToLower(u.email)), "@"); ok && !strings.Contains(domain, "example.") && domain != "localhost" {
			t.Errorf("user %d is not at an example domain: %q", u.id, u.email)
		}
		if u.first != nil && u.last != nil {
			if name := *u.first + " " + *u.last; names[name] {
				t.Errorf("%s comes twice", name)
			} else {
				names[name] = true
			}
		}
		switch {
		case !u.verified:
			unconfirmed++
			continue
		case u.deletedDay != "":
			deleted++
			continue
		}
		if u.newsletter {
			optIns++
		}
		if u.first == nil || u.last == nil {
			nameless++
		}
		if u.email != strings.ToLower(u.email) {
			capitals++
		}
		a, err := owlatsync.NormalizeAddress(u.email)
		switch {
		case err != nil:
			invalid++
			if broken[u.id] == "" {
				t.Errorf("user %d has a broken address: %q", u.id, u.email)
			}
		case ids[a] != 0:
			duplicates++
			if doubled[u.id] != ids[a] {
				t.Errorf("users %d and %d have one address", u.id, ids[a])
			}
		default:
			ids[a] = u.id
		}
	}
	if len(users()) != Rows || unconfirmed < 10 || deleted == 0 || invalid != len(broken) || duplicates != len(doubled) || nameless == 0 || capitals < 10 {
		t.Errorf("%d unconfirmed, %d deleted, %d invalid, %d duplicates, %d with a NULL name, %d with capitals", unconfirmed, deleted, invalid, duplicates, nameless, capitals)
	}
	// At Owlat's 10 requests a second the demo must stay well below half a minute.
	if requests := len(ids) + optIns; requests < 150 || requests > 200 {
		t.Errorf("the first run needs about %d requests", requests)
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := Create(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	before, err := Count(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if before.Rows != Rows || before.Unconfirmed == 0 || before.Deleted == 0 || before.OptIns == 0 {
		t.Errorf("at first %+v", before)
	}
	if err := Apply(t.Context(), db, Changes()); err != nil {
		t.Fatal(err)
	}
	after, err := Count(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Facts{before.Rows + 2, before.Unconfirmed - 1, before.Deleted, before.OptIns + 1}); after != want {
		t.Errorf("after the changes %+v, want %+v", after, want)
	}
	if err := Create(t.Context(), db); err == nil {
		t.Error("a database that has users is filled again")
	}
}

// TestStory checks that the people of whom the story speaks are what it says of them.
func TestStory(t *testing.T) {
	t.Parallel()
	all := users()
	leaver, withdraws, confirms := all[leaverID-1], all[0], all[12]
	if !leaver.verified || !leaver.newsletter || Leaver() != leaver.email {
		t.Errorf("the leaver is %+v", leaver)
	}
	if !withdraws.verified || !withdraws.newsletter {
		t.Errorf("user 1, who withdraws, is %+v", withdraws)
	}
	if confirms.verified || !confirms.newsletter {
		t.Errorf("user 13, who confirms, is %+v", confirms)
	}
	before := Before()
	if len(before) != 3 || !before[0].Unsubscribed || before[1].FirstName != "" || before[2].FirstName == "" {
		t.Errorf("before the first run: %+v", before)
	}
	for _, id := range []int{2, 12} {
		if u := all[id-1]; !u.newsletter || !u.verified {
			t.Errorf("user %d, whom Owlat has before, is %+v", id, u)
		}
	}
}
