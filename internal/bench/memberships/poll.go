package memberships

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"owlatsync/internal/bench/bubble"
	"owlatsync/internal/bench/findings"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/rounds"
)

// polled are the numbers of people of whom docs/benchmarks tells rounds.
var polled = []int{10_000, People}

const pollIntro = `Rounds of "feedback: poll" over people on one topic, a ledger in a file, and an emulator with Owlat's limits, in fake time. Before each round every %dth
person was changed in Owlat, and every second of those has left the topic by the link of a mail. A round of "moved" lists the contacts and reads those that
were changed; one of "all" reads everybody who was put on the topic. Who has left, and is on no topic any more, is asked for once by the API, because a contact that
was deleted or merged seems to be on none either. Requests are counted at the emulator.`

// Polled is what one round took.
type Polled struct {
	Read                    string // rounds.Moved or rounds.All
	People, Left            int
	API, Links, RateLimited int
	Took                    time.Duration
}

// most is how long a round may take: the limits one after the other, and nothing beside them.
func (p Polled) most() time.Duration {
	return time.Duration(p.Links)*time.Second/owlat.DefaultPreferencesRate + time.Duration(p.API)*time.Second/owlat.DefaultRate
}

// budget counts the requests that take something of the budget: all but a look at the health, which tells Owlat's clock.
func budget(s owlattest.Stats) (n int) {
	for _, r := range s.Requests {
		if r.Route != owlattest.RouteHealth {
			n += r.Count
		}
	}
	return n
}

// Poll makes a round of both kinds over so many people, at the pace of Owlat's limits.
func Poll(ctx context.Context, people int) (all []Polled, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	book, err := sqlite.Open(ctx, "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	t, err := settle(ctx, book, people)
	if err != nil {
		return nil, err
	}
	t.server.NoLimit = false
	client, err := t.client(owlat.WithUnsubscribeSecret(secret))
	if err != nil {
		return nil, err
	}
	departed := 0
	poller := reconcile.New(client, book, reconcile.Options{Departed: func(ctx context.Context, d consent.Departure) error {
		departed++
		return book.NoteOptOuts(ctx, d.OptOuts()...)
	}}).Poller()
	for first, read := range []string{rounds.Moved, rounds.All} {
		time.Sleep(time.Minute)
		p := Polled{Read: read, People: people}
		for i := first; i < people; i += leftEvery {
			email := fmt.Sprintf("user%d@example.com", i)
			if i/leftEvery%2 == 0 {
				p.Left++
				err = t.server.Unsubscribe(email, t.sync.Topics[0].ID)
			} else {
				err = t.server.EditContact(email, owlat.UpdateContactRequest{LastName: new("Changed")})
			}
			if err != nil {
				return nil, err
			}
		}
		time.Sleep(time.Minute)
		departed = 0
		before, began := t.server.Stats(), time.Now()
		round, err := poller.Poll(ctx, rounds.Options{All: read == rounds.All})
		if err != nil {
			return nil, err
		}
		after := t.server.Stats()
		p.Took, p.API, p.Links, p.RateLimited = time.Since(began), budget(after)-budget(before), after.Links.Total-before.Links.Total, after.RateLimited-before.RateLimited
		if round.People != p.Left || departed != p.Left || round.Untold+round.Gone > 0 {
			return nil, fmt.Errorf("of %d who have left a round found %d, recorded %d, and could not tell of %d", p.Left, round.People, departed, round.Untold+round.Gone)
		}
		all = append(all, p)
	}
	return all, nil
}

// MeasurePoll is the part of the benchmarks about rounds.
func MeasurePoll(ctx context.Context, log io.Writer) (findings.Section, error) {
	t := findings.Table{Columns: []string{"a round over", "reads", "of them left", "requests of the budget", "requests by links", "refused (429)", "takes"}}
	var goals []findings.Goal
	for _, people := range polled {
		var all []Polled
		err := bubble.Run(ctx, "poll", func(ctx context.Context) (err error) {
			all, err = Poll(ctx, people)
			return err
		})
		if err != nil {
			return findings.Section{}, err
		}
		for _, p := range all {
			fmt.Fprintf(log, "%d people, %s: %v, %d requests, %d by links\n", p.People, p.Read, p.Took, p.API, p.Links)
			reads := fmt.Sprintf("who was changed, %d %%", 100/leftEvery)
			if p.Read == rounds.All {
				reads = "everybody (`read: all`)"
			}
			t.Rows = append(t.Rows, []string{findings.Count(p.People) + " people", reads, findings.Count(p.Left), findings.Count(p.API), findings.Count(p.Links), findings.Count(p.RateLimited),
				findings.Span(p.Took)})
			goals = append(goals, findings.Goal{What: fmt.Sprintf("Rounds: %s people, %s", findings.Count(p.People), p.Read),
				Want: "at most " + findings.Span(p.most()), Got: findings.Span(p.Took), Missed: p.Took > p.most()})
		}
	}
	return findings.Section{Title: "Rounds", Intro: fmt.Sprintf(pollIntro, leftEvery), Tables: []findings.Table{t}, Goals: goals}, nil
}
