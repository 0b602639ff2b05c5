package age

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Done is what is known to have been done with a ledger. It is kept in a file beside the ledger, whose name ends in ".age". So a
// ledger that is put back is noticed: it knows less than that file.
type Done struct {
	Ledger     string // the name that the ledger gave itself
	Generation int64  // of the ledger when it was last written
}

// Path returns the path of the file that keeps what was done with the ledger in the file of that name.
func Path(file string) string { return file + ".age" }

// doneForm has a fixed length, so that the file is always overwritten whole, within one sector of the disk.
const doneForm = "%-32s %020d\n"

// Read returns what was done with the ledger in a file; found is false if nothing tells it, or if what tells it makes no sense.
func Read(file string) (done Done, found bool, err error) {
	text, err := os.ReadFile(Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return Done{}, false, nil
	}
	if err != nil {
		return Done{}, false, err
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return Done{}, false, nil
	}
	done.Ledger = fields[0]
	if done.Generation, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return Done{}, false, nil
	}
	return done, true, nil
}

// Keep durably writes what was done with the ledger in a file. It leaves what says more of the same ledger as it is: another process
// wrote that.
func Keep(file string, done Done) error {
	if kept, found, err := Read(file); err != nil {
		return err
	} else if found && kept.Ledger == done.Ledger && kept.Generation >= done.Generation {
		return nil
	}
	isNew := false
	f, err := os.OpenFile(Path(file), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		isNew = true
		f, err = os.OpenFile(Path(file), os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, doneForm, done.Ledger, done.Generation)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil || !isNew {
		return err
	}
	return SyncFolder(filepath.Dir(file))
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(folder string) error {
	if runtime.GOOS == "windows" { // which cannot open folders, and keeps names by itself
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
