package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"owlatsync/internal/turns"
)

// The queues that every node works. In the first are homes that the node to which they were given has not taken.
const (
	homesQueue      = "homes"
	choresQueue     = "chores"
	dueQueue        = "due" // not with the chores, which may wait for others, such as the host of a chat that does not answer
	writeBacksQueue = "write-backs"
)

// homesQueueOf is the queue of a node for the homes that it is to have, or that of all for an empty ID.
func homesQueueOf(node string) string {
	if node == "" {
		return homesQueue
	}
	sum := sha256.Sum256([]byte(node))
	return "n-" + hex.EncodeToString(sum[:8])
}

// homeAt is a job for a home at a node, or at any for an empty ID.
func homeAt(node, deployment string, epoch int64) river.InsertManyParams {
	return river.InsertManyParams{Args: homeArgs{deployment, epoch}, InsertOpts: &river.InsertOpts{Queue: homesQueueOf(node)}}
}

// plainName is a name that can be read in the name of a queue.
var plainName = regexp.MustCompile(`^[a-z0-9]+(?:[_-][a-z0-9]+)*$`)

// queueOf is the queue of a deployment, which its home works.
func queueOf(deployment string) string {
	switch {
	case deployment == "":
		return "d"
	case len(deployment) <= 60 && plainName.MatchString(deployment):
		return "d-" + deployment
	}
	sum := sha256.Sum256([]byte(deployment))
	return "x-" + hex.EncodeToString(sum[:16])
}

// live are the states of a job that is still to be done, or is being done.
var live = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// homeArgs ask for a home. Epoch is that of the last lease of the home: a job that a dead node seems to work holds up no later one.
type homeArgs struct {
	Deployment string `json:"deployment"`
	Epoch      int64  `json:"epoch"`
}

func (homeArgs) Kind() string { return "home" }

func (homeArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: homesQueue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: live}}
}

// runArgs ask for a run; see turns.Request. They name no rows: a key may be an address, and whoever is forgotten must not be kept by River.
// The ledger has the part of a run with a number.
type runArgs struct {
	Deployment string    `json:"deployment" river:"unique"`
	Sync       string    `json:"sync"`
	Why        turns.Why `json:"why,omitempty"`
	Full       bool      `json:"full,omitempty"`
	Run        int64     `json:"run,omitempty" river:"unique"`
	Approves   int64     `json:"approves,omitempty"`
	Review     bool      `json:"review,omitempty"`
}

func (runArgs) Kind() string { return "run" }

func argsOf(deployment string, r turns.Request) runArgs {
	return runArgs{Deployment: deployment, Sync: r.Sync, Why: r.Why, Full: r.Full, Run: r.Run, Approves: r.Approves, Review: r.Review}
}

func (a runArgs) request() turns.Request {
	return turns.Request{Sync: a.Sync, Why: a.Why, Full: a.Full, Run: a.Run, Approves: a.Approves, Review: a.Review}
}

// River works smaller priorities first.
const (
	callFirst = iota + 1
	askedNext
	toldNext
	dueLast
)

func (a runArgs) options() *river.InsertOpts {
	o := &river.InsertOpts{Queue: queueOf(a.Deployment), MaxAttempts: attempts, Priority: dueLast}
	switch {
	case a.Run != 0:
		o.Priority = askedNext
		o.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: live}
	case a.Why == turns.Notified || a.Why == turns.Moved:
		o.Priority = toldNext
	}
	return o
}

// callArgs ask a home for one thing. By is when nobody waits for it any more, as PostgreSQL tells the time.
type callArgs struct {
	Deployment string          `json:"deployment"`
	Request    json.RawMessage `json:"request,omitempty"`
	Cancel     int64           `json:"cancel,omitempty"` // a run that is to end softly
	By         time.Time       `json:"by"`
}

func (callArgs) Kind() string { return "call" }

// writeBackArgs ask for a pass over what is to be told a target.
type writeBackArgs struct {
	Deployment string `json:"deployment"`
	Target     string `json:"target"`
}

func (writeBackArgs) Kind() string { return "write_back" }

func (writeBackArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: writeBacksQueue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: live}}
}

// dueArgs say that a sync's time has come.
type dueArgs struct {
	Deployment string `json:"deployment"`
	Sync       string `json:"sync"`
}

func (dueArgs) Kind() string { return "due" }

func (dueArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: dueQueue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: live}}
}

// choreArgs ask for a chore. Of is the deployment for which it is done; nil: for all.
type choreArgs struct {
	Name string  `json:"name"`
	Of   *string `json:"of,omitempty"`
}

func (choreArgs) Kind() string { return "chore" }

func (choreArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: choresQueue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: live}}
}

// attempts is how often River tries a job that fails.
const attempts = 25

const (
	retryFirst = 15 * time.Second
	retryMost  = 15 * time.Minute
)

// retryAfter is how long a job waits that has failed so many times.
func retryAfter(failures int) time.Duration {
	if failures > 7 {
		return retryMost
	}
	return min(retryFirst<<max(failures-1, 0), retryMost)
}
