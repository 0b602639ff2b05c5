package postgres

// entryReader reads entries.
type entryReader struct{ *base }
