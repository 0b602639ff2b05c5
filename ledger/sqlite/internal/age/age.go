// Package age tells how old the ledger in a file is: whether it is older than what was done with it, and whether its file and the log
// beside it belong together. It does not open the ledger.
package age

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Age is the row of the ledger's table of that name.
type Age struct {
	Ledger     string // a random name; a ledger that is set back gets another
	Was        string // the name before; empty: none
	Generation int64  // grows with what is recorded
	Log        string // Log when the generation last grew
	Base       int64  // the generation of the file without that log is at least this
	Copied     string // a random name if the file is a copy; it begins with CopiedAtRest or CopiedInRun
}

// How the names of copies begin.
const (
	CopiedAtRest = "rest:"
	CopiedInRun  = "run:"
)

// Columns are the columns of Age, in its order.
const Columns = "ledger, was, generation, log, base, copied"

// Into returns where the columns go.
func (a *Age) Into() []any {
	return []any{&a.Ledger, &a.Was, &a.Generation, &a.Log, &a.Base, &a.Copied}
}

// Why a ledger is older than what was done.
const (
	OlderCopy    = "an older copy is in the place of the ledger"
	OlderOther   = "another ledger was used in this place since"
	OlderRun     = "the ledger is a copy that was made while a run went on"
	OlderUnknown = "nothing tells how old the ledger is: the file beside it whose name ends in .age is missing"
)

// Older says why a ledger may be older than what was done with it, empty if it is not. Used says that it holds something. Done is
// what the file beside it has; known says that there is one. Pure.
func Older(age Age, used bool, done Done, known bool) string {
	switch {
	case !used, !known && age.Generation == 0: // new, or of a version that kept no age
		return ""
	case !known:
		return OlderUnknown
	case age.Ledger != done.Ledger:
		return OlderOther
	case age.Generation < done.Generation:
		return OlderCopy
	case strings.HasPrefix(age.Copied, CopiedInRun):
		return OlderRun
	}
	return ""
}

// Strangers tells from the ages of the file alone, and of the file with its log, whether the two do not belong together. When a log
// was begun, the file had everything recorded before, so it cannot be older than that. Pure.
func Strangers(alone, both Age, log string) bool {
	least := both.Base
	if both.Log != log { // the log was begun when the generation last grew, or since
		least = both.Generation - 1
	}
	switch alone.Ledger {
	case both.Ledger:
		return alone.Copied != both.Copied || alone.Generation < least
	case both.Was:
		return alone.Generation < least
	}
	return true
}

// Log returns a name of the present write-ahead log of a file, its salts; empty: there is none, or it is empty. Another log has
// another name.
func Log(name string) (string, error) {
	const from, size = 16, 8 // of the salts in the log's head
	file, err := os.Open(name + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	salts := make([]byte, size)
	switch _, err := file.ReadAt(salts, from); {
	case errors.Is(err, io.EOF):
		return "", nil
	case err != nil:
		return "", err
	}
	return hex.EncodeToString(salts), nil
}
