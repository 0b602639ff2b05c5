package owlatsync

import "fmt"

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

// ConsentOf returns Yes or No.
func ConsentOf(yes bool) Consent {
	if yes {
		return Yes
	}
	return No
}
