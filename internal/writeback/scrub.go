package writeback

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxReason is how many bytes of an error are kept.
const maxReason = 500

// addressForm is whatever may be an address.
var addressForm = regexp.MustCompile(`[^\s"'<>()=,;:]+@[^\s"'<>()=,;:]+`)

// scrub makes a foreign error one line that holds nothing about the person of the notice, nor any other address.
func scrub(text string, n Notice) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	for _, secret := range append([]string{n.Email, n.ContactID, n.Reason}, n.Keys...) {
		if len(secret) > 2 { // a shorter key would take the words apart
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	text = addressForm.ReplaceAllString(text, "…")
	if len(text) > maxReason {
		end := maxReason
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	return text
}
