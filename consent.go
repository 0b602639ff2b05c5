package owlatsync

import (
	"fmt"
	"strings"
)

// Consent is what a row says about a topic. Only Yes is consent.
type Consent uint8

const (
	// No takes a person off the topic, and Yes is consent.
	No  Consent = iota
	Yes         // consent
	// Unclear means a value that is neither yes nor no. Nobody is put on a topic or taken off because of it.
	Unclear
)

var consentWords = [...]string{No: "no", Yes: "yes", Unclear: "unclear"}

// String returns the word for people and for JSON: "no", "yes" or "unclear".
func (c Consent) String() string {
	if int(c) < len(consentWords) {
		return consentWords[c]
	}
	return fmt.Sprintf("Consent(%d)", uint8(c))
}

// MarshalText returns the text of String.
func (c Consent) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text of MarshalText.
func (c *Consent) UnmarshalText(text []byte) error {
	for i, word := range consentWords {
		if string(text) == word {
			*c = Consent(i)
			return nil
		}
	}
	return fmt.Errorf("read a consent: %q is none", text)
}

// ReadConsent reads one of the texts that mean yes (t, true, y, yes, on, 1) or no (f, false, n, no, off, 0, and a blank one), in any letter
// case and with or without blanks around, or the one byte of a bit. Anything else is Unclear.
func ReadConsent(text string) Consent {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "t", "true", "y", "yes", "on", "1", "\x01":
		return Yes
	case "", "f", "false", "n", "no", "off", "0", "\x00":
		return No
	}
	return Unclear
}

// ConsentOf returns Yes or No.
func ConsentOf(yes bool) Consent {
	if yes {
		return Yes
	}
	return No
}
