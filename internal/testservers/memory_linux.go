package main

import (
	"bytes"
	"errors"
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
	for n := 1; n < 100; n++ {
		dir := memoryPrefix + strconv.Itoa(n)
		if err := os.Mkdir(dir, 0o700); errors.Is(err, os.ErrExist) {
			continue // of another run that goes on
		} else if err != nil {
			return ""
		}
		// Servers that tests start run as users of their own.
		if errors.Join(os.WriteFile(dir+ownerSuffix, []byte(strconv.Itoa(os.Getpid())), 0o600), os.Chmod(dir, 0o755)) != nil {
			leaveMemory(dir)
			return ""
		}
		return dir
	}
	return ""
}

// memoryPrefix is what the names of folders begin with, before a number. It is the smallest that is free, and not the process's: go test keeps the result of a
// test only for as long as TMPDIR is the same. They are short because those of sockets must be.
const memoryPrefix = inMemory + "/owlat-"

// sweep removes folders of processes that were killed.
func sweep() {
	owners, _ := filepath.Glob(memoryPrefix + "*" + ownerSuffix)
	for _, file := range owners {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(string(text)); err == nil && unix.Kill(pid, 0) == unix.ESRCH {
			leaveMemory(strings.TrimSuffix(file, ownerSuffix))
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
