package room

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// look is how often the watch looks.
const look = 5 * time.Millisecond

// used is what a run takes of the disk at one moment, in bytes.
type used struct{ ledger, log, temporary int64 }

func (u used) sum() int64 { return u.ledger + u.log + u.temporary }

// watch looks at what a run takes while it goes on.
type watch struct {
	file, scratch string
	stop, done    chan struct{}

	peak used  // when the sum was largest
	log  int64 // at its largest
	most int64 // temporary files at their largest
	err  error
}

// begin watches a ledger and the temporary files of this process in the folder scratch.
func begin(file, scratch string) *watch {
	w := &watch{file: file, scratch: scratch, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			w.look()
			select {
			case <-w.stop:
				return
			case <-time.After(look):
			}
		}
	}()
	return w
}

// end stops watching.
func (w *watch) end() error {
	close(w.stop)
	<-w.done
	return w.err
}

func (w *watch) look() {
	now := used{ledger: size(w.file), log: size(w.file + "-wal")}
	var err error
	if now.temporary, err = temporary(w.scratch); err != nil {
		w.err = err
	}
	w.log, w.most = max(w.log, now.log), max(w.most, now.temporary)
	if now.sum() > w.peak.sum() {
		w.peak = now
	}
}

// size returns the size of a file, 0 if there is none.
func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// temporary returns the size of this process's open files that were made in the folder. They have no name any more.
func temporary(folder string) (sum int64, err error) {
	const open = "/proc/self/fd"
	entries, err := os.ReadDir(open)
	if err != nil {
		return 0, fmt.Errorf("find the temporary files of the run: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(open, e.Name())
		if to, err := os.Readlink(name); err == nil && strings.HasPrefix(to, folder+string(filepath.Separator)) {
			sum += size(name)
		}
	}
	return sum, nil
}
