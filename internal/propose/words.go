package propose

import (
	"slices"
	"strings"
	"unicode"
)

// tokens splits a name at separators and changes of letter case, in lower case: "userEmail_address" is user, email, address.
func tokens(name string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0:
			followed := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || followed {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return out
}

// squash joins the words of a name: "E-Mail", "e_mail" and "eMail" are all "email".
func squash(words []string) string { return strings.Join(words, "") }

// without drops leading words that only say whose column it is, such as the "user" of user_email, but never all words.
func without(words []string, owners map[string]int) []string {
	for len(words) > 1 {
		if _, owner := owners[singular(words[0])]; !owner && !slices.Contains(ownerWords, words[0]) {
			break
		}
		words = words[1:]
	}
	return words
}

// singular undoes the English plural, well enough to compare table names.
func singular(word string) string {
	switch {
	case word == "people":
		return "person"
	case len(word) > 4 && strings.HasSuffix(word, "ies"):
		return word[:len(word)-3] + "y"
	case len(word) > 3 && strings.HasSuffix(word, "s") && !strings.HasSuffix(word, "ss"):
		return word[:len(word)-1]
	}
	return word
}

func hasAny(words []string, list ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
}

var ownerWords = []string{"primary", "main", "default", "cust", "usr", "my"}

// personTables are singular words for tables of people, with how sure they are.
var personTables = map[string]int{
	"user": 60, "customer": 60, "subscriber": 57, "member": 56, "contact": 54, "account": 48, "client": 50, "person": 50,
	"profile": 38, "participant": 40, "attendee": 38, "donor": 42, "student": 42, "lead": 40, "registrant": 40, "patient": 36,
	"guest": 34, "buyer": 40, "shopper": 42, "supporter": 42, "reader": 38, "employee": 34, "identity": 30, "recipient": 34,
	"membership": 34, "audience": 40, "signup": 36, "subscription": 28, "volunteer": 40, "parent": 32, "owner": 32, "author": 32,
	"kunde": 60, "kunden": 60, "benutzer": 60, "nutzer": 58, "mitglied": 56, "mitglieder": 56, "abonnent": 57, "abonnenten": 57,
	"kontakt": 54, "kontakte": 54, "teilnehmer": 40, "utilisateur": 60, "abonné": 57, "abonne": 57, "adhérent": 50, "adherent": 50,
	"membre": 56, "usuario": 60, "cliente": 58, "suscriptor": 57, "suscriptore": 57, "socio": 48, "utente": 60, "utenti": 60,
	"clienti": 58, "iscritto": 52, "iscritti": 52, "klant": 58, "klanten": 58, "gebruiker": 60, "lid": 50, "leden": 50,
	"utilizador": 60, "utilizadore": 60, "assinante": 57,
}

// sideTables are words for tables with addresses that are not the list of people.
var sideTables = []string{
	"log", "logs", "history", "histories", "audit", "audits", "archive", "archived", "archives", "backup", "backups", "bak", "old",
	"tmp", "temp", "temporary", "copy", "import", "imports", "staging", "test", "tests", "reset", "resets", "token", "tokens",
	"session", "sessions", "invite", "invites", "invitation", "invitations", "queue", "queued", "outbox", "inbox", "message",
	"messages", "mails", "notification", "notifications", "template", "templates", "order", "orders", "invoice", "invoices",
	"payment", "payments", "ticket", "tickets", "event", "events", "blacklist", "blocklist", "suppression", "suppressions",
	"bounce", "bounces", "complaint", "complaints", "attempt", "attempts", "verification", "verifications", "change", "changes",
	"deleted", "version", "versions", "revision", "revisions", "migration", "migrations", "admin", "admins", "superuser", "superusers", "staff", "company", "companies",
	"supplier", "suppliers", "vendor", "vendors", "setting", "settings", "preference", "preferences", "role", "roles", "group",
	"groups", "permission", "permissions", "device", "devices", "key", "keys", "comment", "comments", "post", "posts",
}

// emailNames are squashed names of address columns, with how sure they are.
var emailNames = map[string]int{
	"email": 100, "emailaddress": 98, "emailaddr": 96, "mail": 82, "mailaddress": 84, "emailprimary": 90, "emailid": 60, "emailadresse": 98,
	"emailadress": 92, "mailadresse": 84, "courriel": 96, "adressemail": 92, "adresseemail": 92, "correo": 90, "correoelectronico": 96, "correoelectrónico": 96,
	"emailadres": 96, "indirizzoemail": 96, "endereçoemail": 96, "epost": 90, "loginemail": 70, "emailnormalized": 42, "normalizedemail": 42,
	"emailcanonical": 44, "canonicalemail": 44, "emaillower": 44, "contactemail": 72, "workemail": 58, "businessemail": 58, "personalemail": 62, "homeemail": 58,
}

// notTheEmail are words that say that a column with "email" in its name is not the address to write to.
var notTheEmail = []string{
	"backup", "recovery", "secondary", "alternate", "alternative", "alt", "other", "old", "previous", "prev", "former", "new", "unconfirmed", "unverified",
	"pending", "billing", "paypal", "invoice", "notification", "notifications", "cc", "bcc", "from", "to", "sender", "reply", "support", "company", "manager",
	"parent", "emergency", "invited", "referrer", "hash", "md5", "sha1", "sha256", "token", "count", "sent", "at", "on", "verified", "confirmed", "valid", "opt", "optin",
	"optout", "status", "bounced", "domain", "type", "label", "template", "subject", "body", "enabled", "consent", "subscribed", "subscription", "marketing",
	"change", "changed", "key", "code", "frequency", "preference", "preferences", "encrypted", "index", "bidx", "is", "has", "do", "not", "no", "allow", "send",
}

var (
	firstNames = []string{
		"firstname", "fname", "givenname", "givennames", "forename", "first", "namefirst", "vorname", "prenom", "prénom", "nombre", "nombres", "voornaam",
		"primeironome", "imie", "fornavn", "förnamn",
	}
	lastNames = []string{
		"lastname", "lname", "surname", "familyname", "last", "namelast", "nachname", "familienname", "zuname", "nom", "nomdefamille", "apellido", "apellidos",
		"primerapellido", "cognome", "sobrenome", "ultimonome", "achternaam", "nazwisko", "etternavn", "efternamn", "efternavn",
	}
	fullNames = []string{"fullname", "name", "realname", "completename", "displayname", "fullnames", "nombrecompleto", "nomcomplet", "nomecompleto"}
)

// truthWords are the texts that a when column may hold, and what they mean.
var truthWords = map[string]bool{
	"t": true, "true": true, "y": true, "yes": true, "on": true, "1": true,
	"f": false, "false": false, "n": false, "no": false, "off": false, "0": false, "": false,
}

// truthful reports whether there is a sampled value and every one says yes or no.
func truthful(sample []string) bool {
	for _, v := range sample {
		if _, ok := truthWords[strings.ToLower(strings.TrimSpace(v))]; !ok {
			return false
		}
	}
	return len(sample) > 0
}

// numeric reports whether there is a sampled truth value and every one is a number.
func numeric(sample []string) bool {
	for _, v := range sample {
		if v != "0" && v != "1" {
			return false
		}
	}
	return len(sample) > 0
}
