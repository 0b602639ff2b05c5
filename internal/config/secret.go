package config

import "log/slog"

// Secret is a text that must not be shown. However it is printed, logged or encoded, it appears as "(secret)".
type Secret string

const hidden = "(secret)"

// Reveal returns the text itself. Pass it only to what needs it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return hidden }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
