package list

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/remote"
)

// Job is what is done for every entry of a list.
type Job struct {
	Name       string // such as "topic add"
	Topic      string // id; empty: none
	Deployment string // base URL
	// Once says that an entry whose answer was lost must not be sent again, because the person may have opted out since.
	Once bool
	Send func(context.Context, *owlat.Client, Entry) Result
}

// Result is what became of an entry.
type Result struct {
	Entry
	Outcome   string // one word, such as "added"; it means nothing with an error
	DOIStatus string // of an add: owlat.DOINotRequired, owlat.DOIPending or owlat.DOIConfirmed
	Err       error
}

// Waits reports whether the person must confirm the add.
func (r Result) Waits() bool { return r.DOIStatus == owlat.DOIPending }

// ErrUnsure means that an entry was sent by an earlier run and that its answer never came. Jobs that may act once do not send it again.
var ErrUnsure = errors.New("an earlier run sent it, and its answer never came; it is not sent again, because the person may have left since")

// Upsert returns the job that creates or updates contacts.
func Upsert() Job {
	return Job{Name: "upsert", Send: func(ctx context.Context, c *owlat.Client, e Entry) Result {
		got, err := c.Contacts.Upsert(ctx, reconcile.ContactRequest(e.Contact, e.Fields))
		if err != nil {
			return Result{Err: err}
		}
		if got.Created {
			return Result{Outcome: "created"}
		}
		return Result{Outcome: "updated"}
	}}
}

// Add returns the job that puts contacts on a topic.
func Add(topic string) Job {
	return Job{Name: "topic add", Topic: topic, Once: true, Send: func(ctx context.Context, c *owlat.Client, e Entry) Result {
		got, err := c.Topics.Add(ctx, topic, Member(e.Contact))
		if err != nil {
			return Result{Err: err}
		}
		return Result{Outcome: "added", DOIStatus: got.DOIStatus}
	}}
}

// Remove returns the job that takes contacts off a topic.
func Remove(topic string) Job {
	return Job{Name: "topic remove", Topic: topic, Send: func(ctx context.Context, c *owlat.Client, e Entry) Result {
		switch removed, err := c.Topics.Remove(ctx, topic, e.Contact); {
		case err != nil:
			return Result{Err: err}
		case removed:
			return Result{Outcome: "removed"}
		}
		return Result{Outcome: "not a member"}
	}}
}

// Sums counts what became of the entries of a list.
type Sums struct {
	Outcomes map[string]int // by their words
	Waiting  int            // of these: for confirmation
	Before   int            // done by an earlier run
	Failed   int
	Left     int // not reached
}

// outageAfter is how many failures of the server in a row end a job.
const outageAfter = 25

// patience is how often an entry is sent again after a 429, which never has an effect.
const patience = 20

// sender does a job.
type sender struct {
	Job
	journal *Journal
	tell    func(Result)
	pool    *owlat.Pool

	mu      sync.Mutex
	sums    Sums
	failing int
	ended   error
}

// Do sends the entries that the journal does not have as done, and tells each result, one at a time. A failure stops no other entry, except one
// that all further ones would meet, and a server that fails again and again: these are the error, and so is the end of ctx. When stop is closed
// it takes no more entries and finishes what is in flight. The journal may be nil.
func (job Job) Do(ctx context.Context, client *owlat.Client, entries []Entry, journal *Journal, stop <-chan struct{}, tell func(Result)) (Sums, error) {
	s := &sender{Job: job, journal: journal, tell: tell, sums: Sums{Outcomes: make(map[string]int)}}
	client, err := client.With(owlat.WithBeforeSend(mark))
	if err != nil {
		return s.sums, fmt.Errorf("prepare the requests: %w", err)
	}
	s.pool = client.NewPool(0)
	for i, e := range entries {
		select {
		case <-stop:
			s.end(reconcile.ErrInterrupted)
		default:
		}
		if s.over(ctx) {
			s.left(len(entries) - i)
			break
		}
		switch was := journal.of(e); {
		case was == done:
			s.mu.Lock()
			s.sums.Before++
			s.mu.Unlock()
		case was == sent && job.Once:
			s.count(Result{Entry: e, Err: ErrUnsure})
		default:
			s.pool.Go(ctx, func(ctx context.Context, c *owlat.Client) { s.one(ctx, c, e) })
		}
	}
	s.pool.Wait()
	if s.ended == nil {
		s.ended = ctx.Err()
	}
	return s.sums, s.ended
}

// over reports whether nothing more is to be begun.
func (s *sender) over(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended != nil || ctx.Err() != nil
}

// end lets nothing more be begun. Only the first reason counts.
func (s *sender) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = why
	}
}

type markKey struct{}

// mark notes that a request is about to go out, if it must not be sent twice.
func mark(ctx context.Context, _ owlat.Attempt) error {
	if note, has := ctx.Value(markKey{}).(func() error); has {
		return note()
	}
	return nil
}

// one sends an entry and counts its result.
func (s *sender) one(ctx context.Context, c *owlat.Client, e Entry) {
	var unwritten error
	marked := false
	if s.Once && s.journal != nil {
		ctx = context.WithValue(ctx, markKey{}, func() error {
			if !marked {
				unwritten = s.journal.note(e, sent, true)
				marked = unwritten == nil
			}
			return unwritten
		})
	}
	var r Result
	for range patience {
		if r = s.Send(ctx, c, e); !errors.Is(r.Err, owlat.ErrRateLimited) {
			break
		}
	}
	r.Entry = e
	if unwritten != nil {
		s.end(unwritten)
		s.pool.Close(unwritten)
		s.left(1)
		return
	}
	if r.Err != nil && (ctx.Err() != nil || errors.Is(r.Err, owlat.ErrPoolClosed)) && !owlat.OutcomeUnknown(r.Err) {
		s.left(1)
		return
	}
	var err error
	switch {
	case r.Err == nil:
		err = s.journal.note(e, done, false)
	case marked && !owlat.OutcomeUnknown(r.Err):
		err = s.journal.note(e, back, false)
	}
	if err != nil {
		s.end(err)
		s.pool.Close(err)
	}
	if r.Err != nil && (remote.Classify(r.Err).Class == ledger.StopRun || remote.IsRefusal(r.Err)) { // every other one would meet it, too
		s.end(r.Err)
		s.pool.Close(r.Err)
	}
	s.count(r)
}

// left counts entries that were not reached.
func (s *sender) left(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sums.Left += n
}

// count counts a result and tells it.
func (s *sender) count(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Err == nil:
		s.failing = 0
		s.sums.Outcomes[r.Outcome]++
		if r.Waits() {
			s.sums.Waiting++
		}
	default:
		s.sums.Failed++
		if s.failing++; errors.Is(r.Err, ErrUnsure) || !remote.Classify(r.Err).Outage() {
			s.failing = 0
		}
		if s.failing >= outageAfter && s.ended == nil {
			s.ended = fmt.Errorf("%d contacts in a row failed because of the server: %w", outageAfter, r.Err)
		}
	}
	s.tell(r)
}

// Member names a contact for a topic: by address if it has an "@", else by id.
func Member(contact string) owlat.AddMemberRequest {
	if strings.Contains(contact, "@") {
		return owlat.AddMemberRequest{Email: contact}
	}
	return owlat.AddMemberRequest{ContactID: contact}
}
