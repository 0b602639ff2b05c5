// Package secret has a text that must not be shown.
package secret

import "log/slog"

// Text is a text that must not be shown. However it is printed, logged or encoded, it appears as "(secret)".
type Text string

const hidden = "(secret)"

// Reveal returns the text itself. Pass it only to what needs it.
func (s Text) Reveal() string { return string(s) }

// String hides the secret.
func (s Text) String() string { return hidden }

// GoString hides the secret from %#v.
func (s Text) GoString() string { return hidden }

// LogValue hides the secret from logs.
func (s Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from encoders.
func (s Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }
