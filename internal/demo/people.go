// Package demo makes the database for "owlat-sync demo": a users table as real ones are, with invented people and with unconfirmed,
// broken, repeated and oddly written addresses. It is the same every time.
package demo

import (
	"fmt"
	"strings"
)

// Rows is how many users the database has at first.
const Rows = 150

// user is a row of the users table; a nil text is NULL.
type user struct {
	id                   int
	email                string
	first, last          *string
	verified, newsletter bool
	created, deletedDay  string
}

var firstNames = strings.Fields(`
Ada Alan Grace Linus Margaret Dennis Barbara Edsger Radia Ken Zoë Søren Łucja José Renée Jürgen Aylin Mehmet Priya Arjun
Mei Wei Yuki Haruto Amara Kofi Nia Omar Layla Yusuf Ingrid Lars Chiara Matteo Sofía Diego Élodie Hugo Anna Piotr`)

var lastNames = strings.Fields(`
Miller Novak Rossi Silva Kowalski Jensen Müller Dubois García Nakamura Okafor Haddad Sharma Chen Lindqvist O'Brien Petrov Yılmaz
Costa Fischer Moreau Andersson Kaya Tanaka Mensah Rahman Weber Ferrari Santos Nielsen Horvat Schmidt Laurent`)

var domains = []string{"example.com", "example.org", "example.net"}

// Some rows are odd on purpose.
var (
	broken = map[int]string{ // addresses that Owlat would refuse
		14: "no-at-sign.example.com", 37: "two@@example.org", 68: "someone@localhost", 101: "dot.@example.com", 133: "name surname@example.net",
	}
	doubled = map[int]int{58: 12, 96: 41, 146: 7} // a row with the address of another row
)

// users returns the people in the order of their ids.
func users() []user {
	all := make([]user, 0, Rows+1)
	for id := 1; id <= Rows; id++ {
		// The steps share no factor with the lengths of the lists, so that no name repeats.
		first, last := firstNames[(id*7)%len(firstNames)], lastNames[(id*5)%len(lastNames)]
		u := user{
			id: id, first: &first, last: &last, email: address(id, first, last),
			verified: id%8 != 5, newsletter: id%11 < 4,
			created: fmt.Sprintf("2026-%02d-%02d", 1+id%9, 1+id%28),
		}
		if text, odd := broken[id]; odd {
			u.email, u.verified = text, true
		}
		if other, double := doubled[id]; double {
			u.email, u.verified = strings.ToUpper(all[other-1].email), true
		}
		switch {
		case id%41 == 0:
			u.first = nil
		case id%47 == 0:
			u.last = nil
		case id%49 == 0:
			u.deletedDay = "2026-10-01"
		}
		all = append(all, u)
	}
	return all
}

// address writes an address as people write it.
func address(id int, first, last string) string {
	name := func(s string) string {
		plain := strings.NewReplacer("ë", "e", "ø", "o", "Ł", "l", "é", "e", "ü", "u", "í", "i", "É", "e", "ı", "i", "'", "")
		return strings.ToLower(plain.Replace(s))
	}
	domain := domains[id%len(domains)]
	switch id % 7 {
	case 1:
		return fmt.Sprintf("%s.%s@%s", first, strings.ToUpper(name(last)), strings.ToUpper(domain)) // as typed on a phone
	case 2:
		return fmt.Sprintf("%s%d@%s", name(first), 1960+id%50, domain)
	case 3:
		return fmt.Sprintf("  %s.%s@%s ", name(first), name(last), domain)
	case 4:
		return fmt.Sprintf("%c%s+shop@%s", name(first)[0], name(last), domain)
	}
	return fmt.Sprintf("%s.%s@%s", name(first), name(last), domain)
}
