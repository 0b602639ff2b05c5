package shelf_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/account"
	"owlatsync/internal/config"
	"owlatsync/internal/session"
	"owlatsync/internal/session/shelf"
	"owlatsync/internal/testdb"
	"owlatsync/ledger/postgres"
)

const password = "correct horse battery"

var hash = account.Hash{Memory: 7 << 10, Passes: 1, Threads: 1}.Of(password)

// nodes returns the books of two nodes that share a ledger, and the ledger.
func nodes(t *testing.T) (one, other *session.Book, db *postgres.Database) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: testdb.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	node := func() *session.Book {
		b := session.New(access.NewGate(nil, nil))
		b.Share(shelf.New(db.Pool(), db.Schema()))
		b.ReplaceAll([]config.Account{{Name: "ada", Role: config.Operator, Hash: hash}}, nil)
		return b
	}
	return node(), node(), db
}

func signIn(t *testing.T, b *session.Book) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", nil)
	id, _, err := b.SignIn(r, "ada", password)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func in(t *testing.T, b *session.Book, id string) bool {
	t.Helper()
	who, ok, err := b.Who(t.Context(), id)
	if err != nil || ok && who != (access.Principal{Name: "ada", Role: config.Operator}) {
		t.Fatalf("%+v, %v", who, err)
	}
	return ok
}

// TestEveryNodeKnowsWhoIsSignedIn, and within seconds who is no longer, and a new process does as well.
func TestEveryNodeKnowsWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	one, other, db := nodes(t)
	id := signIn(t, one)
	if !in(t, one, id) || !in(t, other, id) || in(t, other, session.NewID()) {
		t.Error("the other node does not know who is signed in")
	}
	if !other.FormFits(id, one.FormToken(id)) {
		t.Error("a form that one node has shown cannot be sent to the other")
	}
	if err := other.SignOut(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if in(t, other, id) {
		t.Error("still signed in where the sign-out was")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); in(t, one, id); <-tick.C {
		if time.Since(began) > 20*time.Second {
			t.Fatal("a sign-out does not reach the other node")
		}
	}

	id = signIn(t, one)
	changed := session.New(access.NewGate(nil, nil))
	changed.Share(shelf.New(db.Pool(), db.Schema()))
	changed.ReplaceAll([]config.Account{{Name: "ada", Role: config.Viewer, Hash: hash}}, nil)
	if in(t, changed, id) {
		t.Error("an account with another role is let in by its earlier session")
	}
	if !in(t, other, id) {
		t.Error("a node with another configuration signs somebody out")
	}
	var kept string
	if err := db.Pool().QueryRow(t.Context(), "SELECT string_agg(s::text, ' ') FROM "+db.Schema()+".sessions s").Scan(&kept); err != nil || kept == "" || strings.Contains(kept, id) {
		t.Errorf("the ledger has %q, %v", kept, err)
	}
}

// TestOldSessionsEndAtTheShelf by the clock of the server.
func TestOldSessionsEndAtTheShelf(t *testing.T) {
	t.Parallel()
	one, other, db := nodes(t)
	for name, age := range map[string]string{"idle": "used = now() - interval '61 minutes'", "old": "began = now() - interval '13 hours'"} {
		id := signIn(t, one)
		if _, err := db.Pool().Exec(t.Context(), "UPDATE "+db.Schema()+".sessions SET "+age); err != nil {
			t.Fatal(err)
		}
		if in(t, other, id) {
			t.Errorf("an %s session goes on", name)
		}
	}
	signIn(t, one)
	var n int
	if err := db.Pool().QueryRow(t.Context(), "SELECT count(*) FROM "+db.Schema()+".sessions").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d sessions are kept, %v", n, err)
	}
}

// TestWithoutTheShelfNobodyIsLetIn, and what is wrong there is for the log alone.
func TestWithoutTheShelfNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	one, other, db := nodes(t)
	id := signIn(t, one)
	db.Close()
	_, ok, err := other.Who(t.Context(), id)
	refusal, is := errors.AsType[*access.Refusal](err)
	if ok || !is || refusal.Status != http.StatusServiceUnavailable || refusal.Hint == "" || strings.Contains(refusal.Message, "pool") {
		t.Errorf("%v, %+v", ok, err)
	}
	if err := one.SignOut(context.WithoutCancel(t.Context()), id); err == nil {
		t.Error("a sign-out that others do not know of is told as done")
	}
	if _, _, err := other.SignIn(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", nil), "ada", password); err == nil {
		t.Error("somebody signs in where nobody can keep it")
	}
}

// TestNodesShareTheSecretOfThePage until somebody is forgotten.
func TestNodesShareTheSecretOfThePage(t *testing.T) {
	t.Parallel()
	_, _, db := nodes(t)
	secret := func() string {
		t.Helper()
		s, err := shelf.New(db.Pool(), db.Schema()).Secret(t.Context())
		if err != nil || len(s) != shelf.SecretSize {
			t.Fatalf("%d bytes, %v", len(s), err)
		}
		return string(s)
	}
	first := secret()
	if secret() != first {
		t.Error("another node, or a new process, has another secret")
	}
	l, err := db.Ledger(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if _, err := l.ForgetPerson(t.Context(), "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if secret() == first {
		t.Error("what the old secret made can still be opened after somebody was forgotten")
	}
}
