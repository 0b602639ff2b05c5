//go:build !unix

package writeback

// syncFolder does nothing: a folder cannot be synced here, and names are durable with their files.
func syncFolder(string) error { return nil }
