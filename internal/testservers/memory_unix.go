//go:build unix && !linux

package main

// memoryFolder makes a folder in memory for the files of tests; empty: there is none.
func memoryFolder() string { return "" }
