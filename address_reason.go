package owlatsync

import (
	"strings"
	"unicode"
)

// What is wrong with the form of an address, where that is plain. Each of them is also an ErrAddressForm to [errors.Is].
var (
	ErrAddressSeveral   error = formError("the field holds several addresses; a contact has one")
	ErrAddressMailto    error = formError(`the address begins with "mailto:"; leave that out`)
	ErrAddressNamed     error = formError("the field holds more than the address, as in Name <address>; give the address alone")
	ErrAddressInvisible error = formError("the address holds an invisible character; type it anew")
	ErrAddressBlank     error = formError("the address holds a blank")
	ErrAddressDot       error = formError("the domain of the address has no dot")
)

// formError is a reason for which an address is not of the form that Owlat accepts.
type formError string

func (e formError) Error() string { return string(e) }

// Is matches ErrAddressForm.
func (e formError) Is(target error) bool { return target == ErrAddressForm }

// mostExplained is the most bytes of a text in which a reason is looked for.
const mostExplained = 4 << 10

// formReason says why a trimmed text that is no address is none.
func formReason(text string) error {
	if len(text) > mostExplained || !strings.Contains(text, "@") {
		return ErrAddressForm
	}
	rest, mailto := cutMailto(text)
	switch shown := strings.Map(visible, text); {
	case severalAddresses(shown):
		return ErrAddressSeveral
	case mailto && strings.Contains(rest, "@"):
		return ErrAddressMailto
	case insideAngles(shown):
		return ErrAddressNamed
	case shown != text && ValidAddress(shown):
		return ErrAddressInvisible
	case ValidAddress(strings.Join(strings.Fields(shown), "")):
		return ErrAddressBlank
	case noDot(shown):
		return ErrAddressDot
	}
	return ErrAddressForm
}

// visible drops a rune that shows nothing, and makes a blank of one that shows a blank.
func visible(r rune) rune {
	switch {
	case r == ' ' || r == '\n' || r == '\r' || r == '\t':
		return ' '
	case unicode.In(r, unicode.Cf, unicode.Cc, unicode.Zs, unicode.Zl, unicode.Zp), r == 0x034F, r == 0x115F, r == 0x1160, r == 0x3164:
		return -1
	}
	return r
}

func cutMailto(text string) (string, bool) {
	const scheme = "mailto:"
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return text, false
	}
	return text[len(scheme):], true
}

// severalAddresses reports whether a text is a list of at least two addresses, each alone or after a name.
func severalAddresses(text string) bool {
	if strings.Count(text, "@") < 2 {
		return false
	}
	for _, separators := range []string{";:,|\n", " ;:,|/\n"} {
		found := 0
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
			part = strings.TrimSpace(part)
			if rest, mailto := cutMailto(part); mailto {
				part = rest
			}
			if ValidAddress(part) || insideAngles(part) {
				found++
			}
		}
		if found > 1 {
			return true
		}
	}
	return false
}

// insideAngles reports whether a text ends with an address in angle brackets.
func insideAngles(text string) bool {
	open := strings.LastIndexByte(text, '<')
	if open < 0 || !strings.HasSuffix(strings.TrimSpace(text), ">") {
		return false
	}
	inner := strings.TrimSpace(text)
	rest, _ := cutMailto(strings.TrimSpace(inner[strings.LastIndexByte(inner, '<')+1 : len(inner)-1]))
	return ValidAddress(rest)
}

// noDot reports whether a text would be an address if its domain had a dot.
func noDot(text string) bool {
	_, domain, _ := strings.Cut(text, "@")
	return !strings.Contains(domain, ".") && ValidAddress(text+".example")
}
