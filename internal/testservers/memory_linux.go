package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// inMemory is where Linux keeps files in memory.
	inMemory = "/dev/shm"
	// muchMemory is how many bytes must be free there, and of memory, before tests keep their files in it.
	muchMemory = 8 << 30
)

// memoryFolder makes a folder in memory for the files of tests, so that their ledgers wait for no disk; empty: there is no room for one, or
// TMPDIR names a folder already. What survives a kill of a process does not depend on it, and what survives a power cut no test can tell.
func memoryFolder() string {
	var fs unix.Statfs_t
	if os.Getenv("TMPDIR") != "" || unix.Statfs(inMemory, &fs) != nil || fs.Flags&unix.ST_NOEXEC != 0 ||
		fs.Bavail*uint64(fs.Bsize) < muchMemory || freeMemory() < muchMemory {
		return ""
	}
	sweep()
	dir := memoryPrefix + strconv.Itoa(os.Getpid())
	if err := os.Mkdir(dir, 0o700); err != nil {
		return ""
	}
	// Servers that tests start run as users of their own.
	if err := os.Chmod(dir, 0o755); err != nil {
		_ = os.RemoveAll(dir)
		return ""
	}
	return dir
}

// memoryPrefix is what the names of folders begin with, before the process whose they are. They are short because those of sockets must be.
const memoryPrefix = inMemory + "/owlat-"

// sweep removes folders of processes that were killed.
func sweep() {
	folders, _ := filepath.Glob(memoryPrefix + "*")
	for _, dir := range folders {
		pid, err := strconv.Atoi(strings.TrimPrefix(dir, memoryPrefix))
		if err == nil && unix.Kill(pid, 0) == unix.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}

// freeMemory is how many bytes of memory are available; 0 if that is not known.
func freeMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("MemAvailable:")); ok {
			kilobytes, _ := strconv.ParseUint(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
