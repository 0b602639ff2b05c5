package list

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"owlatsync/internal/problem"
)

// Journal remembers what became of the entries of a list, so that the same command goes on after a kill. It is a file of lines in JSON
// and names nobody: an entry is a hash of what is sent. It is safe for concurrent use.
type Journal struct {
	path  string
	lock  *flock.Flock
	file  *os.File
	began time.Time
	known map[string]state // of earlier runs

	mu      sync.Mutex
	written int

	syncing sync.Mutex // taken before mu
	synced  int
}

// state is what a journal says of an entry.
type state string

const (
	sent state = "sent" // right before it went out; without a later line nobody knows what became of it
	done state = "done"
	back state = "back" // it was sent and had no effect
)

// about is the first line of a journal.
type about struct {
	Journal    string    `json:"journal"` // what the journal is of, such as "topic add"
	Topic      string    `json:"topic,omitempty"`
	Deployment string    `json:"deployment"`
	Began      time.Time `json:"began"`
}

type line struct {
	ID    string `json:"id"`
	State state  `json:"state"`
}

// OpenJournal opens the journal of a job, or begins it. It fails if another process has it open, or if it is another job's.
func OpenJournal(path string, job Job) (*Journal, error) {
	j := &Journal{path: path, lock: flock.New(path), known: make(map[string]state)}
	if err := j.open(job); err != nil {
		return nil, errors.Join(err, j.release())
	}
	return j, nil
}

func (j *Journal) open(job Job) error {
	if info, err := os.Stat(j.path); err == nil && !info.Mode().IsRegular() {
		return problem.Usage(fmt.Errorf("the journal %s is no regular file", j.path))
	}
	var err error
	if j.file, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return problem.Usage(problem.Hint(fmt.Errorf("open the journal: %w", err), "--journal names another file"))
	}
	switch locked, err := j.lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("lock the journal: %w", err)
	case !locked:
		return fmt.Errorf("another process works on this list: it has the journal %s", j.path)
	}
	if there, err := os.Stat(j.path); err != nil || !same(there, j.file) {
		return fmt.Errorf("another process has just ended its work on this list with the journal %s: try again", j.path)
	}
	text, err := io.ReadAll(j.file)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1 // a line that a kill cut off says nothing
	if whole == 0 && len(text) > 0 && text[0] != '{' {
		return notOurs(j.path)
	}
	if whole == 0 {
		return j.begin(job)
	}
	if err := j.read(text[:whole], job); err != nil {
		return err
	}
	if err := j.file.Truncate(int64(whole)); err != nil {
		return fmt.Errorf("go on with the journal: %w", err)
	}
	_, err = j.file.Seek(0, io.SeekEnd)
	return err
}

func same(there os.FileInfo, file *os.File) bool {
	info, err := file.Stat()
	return err == nil && os.SameFile(there, info)
}

func (j *Journal) begin(job Job) error {
	if err := j.file.Truncate(0); err != nil {
		return fmt.Errorf("begin the journal: %w", err)
	}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("begin the journal: %w", err)
	}
	j.began = time.Now()
	return j.append(about{Journal: job.Name, Topic: job.Topic, Deployment: job.Deployment, Began: j.began.UTC().Truncate(time.Second)}, true)
}

func notOurs(path string) error {
	return problem.Usage(problem.Hint(fmt.Errorf("%s is no journal of a list", path), "--journal names another file"))
}

func (j *Journal) read(text []byte, job Job) error {
	lines := json.NewDecoder(bytes.NewReader(text))
	var of about
	if err := lines.Decode(&of); err != nil || of.Journal == "" {
		return notOurs(j.path)
	}
	if of.Journal != job.Name || of.Topic != job.Topic || of.Deployment != job.Deployment {
		was := fmt.Errorf("the journal %s is of another job: %q, topic %q, at %s", j.path, of.Journal, of.Topic, of.Deployment)
		return problem.Usage(problem.Hint(was, "remove it to begin this list anew, or name another file with --journal"))
	}
	j.began = of.Began
	for {
		var l line
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil || l.ID == "" {
			return problem.Hint(fmt.Errorf("the journal %s is damaged", j.path), "remove it to begin this list anew; who was done before is sent again then")
		}
		j.known[l.ID] = l.State
	}
}

// Path returns the file of the journal.
func (j *Journal) Path() string { return j.path }

// Began returns when the job began, perhaps in an earlier run.
func (j *Journal) Began() time.Time { return j.began }

// of returns what earlier runs say of an entry.
func (j *Journal) of(e Entry) state {
	if j == nil {
		return ""
	}
	return j.known[idOf(e)]
}

// Before returns how many of the entries earlier runs have done.
func (j *Journal) Before(entries []Entry) (n int) {
	for _, e := range entries {
		if j.of(e) == done {
			n++
		}
	}
	return n
}

// idOf identifies what is sent for an entry.
func idOf(e Entry) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", e.Contact)
	for _, f := range e.Fields {
		if f != nil {
			fmt.Fprintf(h, "%q", *f)
		}
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// note adds what became of an entry. If durable is set, it survives a loss of power once note returns; calls at the same time share
// one write to the disk.
func (j *Journal) note(e Entry, s state, durable bool) error {
	if j == nil {
		return nil
	}
	return j.append(line{idOf(e), s}, durable)
}

func (j *Journal) append(v any, durable bool) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	j.mu.Lock()
	_, err = j.file.Write(append(text, '\n'))
	j.written++
	mine := j.written
	j.mu.Unlock()
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if !durable {
		return nil
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= mine {
		return nil
	}
	j.mu.Lock()
	upTo := j.written
	j.mu.Unlock()
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	j.synced = upTo
	return nil
}

// Continued reports whether an earlier run has noted anything.
func (j *Journal) Continued() bool { return j != nil && len(j.known) > 0 }

// Close closes the journal, and removes it unless keep is set.
func (j *Journal) Close(keep bool) error {
	if j == nil {
		return nil
	}
	var err error
	if !keep {
		err = os.Remove(j.path)
	}
	if err = errors.Join(err, j.release()); err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}

func (j *Journal) release() error {
	var err error
	if j.file != nil {
		err = j.file.Close()
	}
	return errors.Join(err, j.lock.Close())
}
