//go:build !linux

package serve

// releaseProgram does nothing: only Linux is known to count these pages as the process's memory.
func releaseProgram() {}
