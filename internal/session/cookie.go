package session

import (
	"net/http"
	"time"
)

// cookieName is the cookie of a browser. Where the connection is encrypted, its prefix keeps other hosts of the domain, and whoever can
// change an unencrypted answer, from setting it.
const cookieName, hostPrefix = "owlat-sync", "__Host-"

func (b *Book) cookie(r *http.Request) http.Cookie {
	c := http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if b.gate.Encrypted(r) {
		c.Name, c.Secure = hostPrefix+cookieName, true
	}
	return c
}

// ID returns what the browser holds, empty if that is nothing that NewID made.
func (b *Book) ID(r *http.Request) string {
	c, err := r.Cookie(b.cookie(r).Name)
	if err != nil || len(c.Value) != 43 {
		return ""
	}
	return c.Value
}

// Doubled reports whether the browser holds several cookies of the page. Give makes one at most: another is of a program at another port of the
// host, and a browser does not tell which.
func (b *Book) Doubled(r *http.Request) bool { return len(r.CookiesNamed(b.cookie(r).Name)) > 1 }

// Give lets the browser hold an id, for at most Life.
func (b *Book) Give(w http.ResponseWriter, r *http.Request, id string) {
	c := b.cookie(r)
	c.Value, c.MaxAge = id, int(Life/time.Second)
	http.SetCookie(w, &c)
}

// TakeBack lets the browser forget what it holds.
func (b *Book) TakeBack(w http.ResponseWriter, r *http.Request) {
	c := b.cookie(r)
	c.MaxAge = -1
	http.SetCookie(w, &c)
}
