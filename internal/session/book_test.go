package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/account"
	"owlatsync/internal/config"
)

const right = "correct horse battery"

// cheap is a hash that costs as little as the configuration allows.
var cheap = sync.OnceValue(func() account.Hash {
	return account.Hash{Memory: 7 << 10, Passes: 1, Threads: 1}.Of(right)
})

func accountOf(name string, role config.Role) config.Account {
	return config.Account{Name: name, Role: role, Hash: cheap()}
}

// newBook returns a book with an operator of all and a viewer of one deployment.
func newBook() *Book {
	b := New(access.NewGate(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
	b.ReplaceAll([]config.Account{accountOf("ada", config.Operator)}, map[string][]config.Account{"acme": {accountOf("ada", config.Viewer)}})
	return b
}

// from returns a request of a client.
func from(address string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/login", nil)
	r.RemoteAddr = address + ":50000"
	return r
}

// codeOf returns the code of a refusal.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	refusal, ok := errors.AsType[*access.Refusal](err)
	if err == nil || !ok || refusal.Message == "" || refusal.Hint == "" || refusal.Status < 400 {
		t.Errorf("%#v is no refusal with advice", err)
		return ""
	}
	return refusal.Code
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	b := newBook()
	before := NewID()
	if _, in := whoIs(b, before); in || b.Empty() {
		t.Error("somebody is signed in without a password")
	}
	all, who, err := b.SignIn(from("192.0.2.1"), " ada ", right)
	if err != nil || who != (access.Principal{Name: "ada", Role: config.Operator}) {
		t.Fatalf("%+v, %v", who, err)
	}
	one, who, err := b.SignIn(from("192.0.2.1"), "acme/ada", right)
	if err != nil || who != (access.Principal{Name: "ada", Role: config.Viewer, Deployment: "acme"}) || one == all || len(one) != 43 {
		t.Fatalf("%+v, %v", who, err)
	}
	for id := range b.sessions {
		if strings.Contains(string(id[:]), all) {
			t.Error("the id is kept as it is")
		}
	}
	if _, in := whoIs(b, before); in {
		t.Error("an id from before the sign-in is signed in")
	}
	_ = b.SignOut(t.Context(), all)
	if _, in := whoIs(b, all); in {
		t.Error("still signed in")
	}
	if got, in := whoIs(b, one); !in || got != who {
		t.Errorf("another session ended, too: %+v", got)
	}
}

func TestWhoIsRefused(t *testing.T) {
	t.Parallel()
	b := newBook()
	for i, try := range []struct{ name, password string }{{"ada", right + "!"}, {"ada", ""}, {"", right}, {"eve", right}, {"acme", right}, {"globex/ada", right}, {"ADA", right}} {
		id, who, err := b.SignIn(from(fmt.Sprintf("192.0.2.%d", i)), try.name, try.password)
		if code := codeOf(t, err); code != CodePassword || id != "" || (who.Name != "") != (try.name == "ada") {
			t.Errorf("%+v: %s, %+v", try, code, who)
		}
	}
}

// TestAnUnknownNameCostsAsMuch measures the memory that a hash takes, because time says nothing on a busy machine. It is not parallel.
func TestAnUnknownNameCostsAsMuch(t *testing.T) {
	b := New(access.NewGate(nil, nil))
	dear := account.Hash{Memory: 32 << 10, Passes: 2, Threads: 1}.Of(right)
	b.ReplaceAll([]config.Account{{Name: "ada", Role: config.Operator, Hash: dear}, accountOf("bob", config.Viewer)}, nil)
	for _, name := range []string{"ada", "eve"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := b.SignIn(from("192.0.2.1"), name, "wrong")
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; codeOf(t, err) != CodePassword || took < 32<<20 {
			t.Errorf("%s: %v, %d bytes", name, err, took)
		}
	}
}

// TestWrongPasswordsAreLimited, by client beside wrong tokens, and by name whoever sends them.
func TestWrongPasswordsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		client := from("192.0.2.1")
		tries := 0
		for ; tries < 100; tries++ {
			if _, _, err := b.SignIn(client, fmt.Sprintf("eve%d", tries), "wrong"); codeOf(t, err) != CodePassword {
				break
			}
		}
		if tries != 10 {
			t.Errorf("a client can try %d times", tries)
		}
		if _, _, err := b.SignIn(client, "ada", right); codeOf(t, err) != access.CodeFailures {
			t.Error("the right password counts although the client must wait")
		}
		if _, _, err := b.SignIn(from("192.0.2.2"), "ada", right); err != nil {
			t.Errorf("another client is refused: %v", err)
		}
		time.Sleep(7 * time.Second)
		if _, _, err := b.SignIn(client, "ada", right); err != nil {
			t.Errorf("after a while: %v", err)
		}

		tries = 0
		for ; tries < 100; tries++ {
			if _, _, err := b.SignIn(from(fmt.Sprintf("198.51.100.%d", tries)), "ada", "wrong"); codeOf(t, err) != CodePassword {
				break
			}
		}
		if tries != nameBurst {
			t.Errorf("a name can be tried %d times", tries)
		}
		if _, _, err := b.SignIn(from("203.0.113.1"), "acme/ada", right); err != nil {
			t.Errorf("another name is refused: %v", err)
		}
		time.Sleep(nameInterval)
		if _, _, err := b.SignIn(from("203.0.113.1"), "ada", right); err != nil {
			t.Errorf("after a while: %v", err)
		}
	})
}

func TestManyAtOnceDoNotGetMoreAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		var all sync.WaitGroup
		var looked atomic.Int64
		for range 40 {
			all.Go(func() {
				_, _, err := b.SignIn(from("192.0.2.1"), "ada", "wrong")
				if refusal, ok := errors.AsType[*access.Refusal](err); ok && refusal.Code == CodePassword {
					looked.Add(1)
				}
			})
		}
		all.Wait()
		if n := looked.Load(); n < 10 || n > 10+maxTurns-1 {
			t.Errorf("%d passwords were looked at", n)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		enter := func() string {
			id, _, err := b.SignIn(from("192.0.2.1"), "ada", right)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		in := func(id string) bool { _, in := whoIs(b, id); return in }
		idle := enter()
		time.Sleep(Idle - time.Second)
		if !in(idle) {
			t.Error("a session ends too early")
		}
		time.Sleep(Idle)
		if in(idle) {
			t.Error("an idle session goes on")
		}
		watched := enter()
		for range 59 {
			time.Sleep(time.Minute)
			if who, still, _ := b.Still(t.Context(), watched); !still || who.Name != "ada" {
				t.Fatal("a session that is watched ended too early")
			}
		}
		time.Sleep(time.Minute)
		if _, still, _ := b.Still(t.Context(), watched); still || in(watched) {
			t.Error("a session is kept alive by what goes on by itself")
		}
		busy := enter()
		for began := time.Now(); time.Since(began) < Life-time.Minute; time.Sleep(time.Minute) {
			if !in(busy) {
				t.Fatalf("a busy session ended after %s", time.Since(began))
			}
		}
		time.Sleep(time.Minute)
		if in(busy) {
			t.Error("a busy session goes on for ever")
		}
	})
}

func TestTooManySessionsEndTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		first, second := NewID(), NewID()
		b.add(first, "ada")
		time.Sleep(time.Second)
		b.add(second, "ada")
		for range maxSessions - 1 {
			time.Sleep(time.Millisecond)
			b.add(NewID(), "ada")
		}
		_, old := whoIs(b, first)
		_, kept := whoIs(b, second)
		if old || !kept || len(b.sessions) != maxSessions {
			t.Errorf("the oldest is there: %v, the next: %v, of %d", old, kept, len(b.sessions))
		}
	})
}

func TestOtherAccountsEndSessions(t *testing.T) {
	t.Parallel()
	other := account.Hash{Memory: 7 << 10, Passes: 1, Threads: 1}.Of("another password")
	for name, test := range map[string]struct {
		now  []config.Account
		goes bool
	}{
		"the same":         {[]config.Account{accountOf("eve", config.Viewer), accountOf("ada", config.Operator)}, true},
		"gone":             {nil, false},
		"another password": {[]config.Account{{Name: "ada", Role: config.Operator, Hash: other}}, false},
		"another role":     {[]config.Account{accountOf("ada", config.Viewer)}, false},
	} {
		b := newBook()
		id, _, err := b.SignIn(from("192.0.2.1"), "ada", right)
		if err != nil {
			t.Fatal(err)
		}
		b.ReplaceAll(test.now, nil)
		if _, in := whoIs(b, id); in != test.goes {
			t.Errorf("%s: signed in %v", name, in)
		}
	}
}

func TestTokensOfForms(t *testing.T) {
	t.Parallel()
	b, id := newBook(), NewID()
	token := b.FormToken(id)
	if !b.FormFits(id, token) {
		t.Error("a form's own token does not fit")
	}
	for _, wrong := range []string{"", token[1:], token + "a", b.FormToken(NewID())} {
		if b.FormFits(id, wrong) {
			t.Errorf("%q fits", wrong)
		}
	}
	if b.FormFits("", b.FormToken("")) {
		t.Error("a browser that holds nothing can send forms")
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	b := newBook()
	for _, test := range []struct {
		name    string
		request func() *http.Request
		want    string
	}{
		{"not encrypted", func() *http.Request { return from("192.0.2.1") }, "owlat-sync=%s; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"},
		{"encrypted", func() *http.Request {
			r := from("192.0.2.1")
			r.TLS = &tls.ConnectionState{}
			return r
		}, "__Host-owlat-sync=%s; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax"},
		{"a trusted proxy", func() *http.Request {
			r := from("10.1.2.3")
			r.Header.Set("X-Forwarded-Proto", "http, HTTPS")
			return r
		}, "__Host-owlat-sync=%s; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax"},
		{"a trusted proxy without", func() *http.Request {
			r := from("10.1.2.3")
			r.Header.Set("X-Forwarded-Proto", "https, http")
			return r
		}, "owlat-sync=%s; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"},
		{"a stranger who says so", func() *http.Request {
			r := from("192.0.2.1")
			r.Header.Set("X-Forwarded-Proto", "https")
			return r
		}, "owlat-sync=%s; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"},
	} {
		w, id := httptest.NewRecorder(), NewID()
		b.Give(w, test.request(), id)
		if got := w.Header().Get("Set-Cookie"); got != fmt.Sprintf(test.want, id) {
			t.Errorf("%s: %s", test.name, got)
		}
		r := test.request()
		r.AddCookie(w.Result().Cookies()[0])
		if got := b.ID(r); got != id {
			t.Errorf("%s: comes back as %q", test.name, got)
		}
		w = httptest.NewRecorder()
		b.TakeBack(w, test.request())
		if c := w.Result().Cookies()[0]; c.MaxAge != -1 || c.Value != "" {
			t.Errorf("%s: taken back with %v", test.name, c)
		}
	}
	r := from("192.0.2.1")
	r.AddCookie(&http.Cookie{Name: cookieName, Value: NewID()})
	one := b.Doubled(r)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: NewID()})
	if one || !b.Doubled(r) {
		t.Errorf("one cookie is doubled: %v, two are: %v", one, b.Doubled(r))
	}
	r.TLS = &tls.ConnectionState{}
	if b.ID(r) != "" || b.Doubled(r) {
		t.Error("an encrypted page takes a cookie that others can set")
	}
}

// whoIs is who is signed in with an id; nobody where that cannot be seen.
func whoIs(b *Book, id string) (access.Principal, bool) {
	who, ok, err := b.Who(context.Background(), id)
	return who, ok && err == nil
}
