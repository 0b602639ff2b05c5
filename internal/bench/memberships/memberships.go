// Package memberships measures how long a verification with memberships takes, and what it asks of Owlat.
package memberships

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"owlatsync/internal/bench/bubble"
	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// People is how many people docs/benchmarks tells of.
const People = 100_000

// leftEvery says which part of them has left the topic.
const leftEvery = 100

const secret = "the secret of links"

const intro = `A verification of %s people on one topic, of whom every %dth has left it by the link of a mail, with the unsubscribe secret: one
request by a link for each, and one to the API for each who is on no topic any more, because a contact that was deleted or merged seems to be
on none either. Requests are counted at the emulator. The limit of %d a second is measured in fake time; without limits the time is real, with the emulator in
the same process and the ledger in a file. Before it the sources were read and the contacts listed, which is not counted here.`

// Verified is what one verification took.
type Verified struct {
	People, Left, Links, API int
	Took                     time.Duration
}

// town is an emulator, and people whom a run has put on a topic of it.
type town struct {
	server *owlattest.Server
	key    string
	sync   reconcile.Sync
}

// settle makes a town without limits, with so many people.
func settle(ctx context.Context, book ledger.Store, people int) (*town, error) {
	t := &town{server: &owlattest.Server{NoLimit: true, UnsubscribeSecret: secret}}
	t.key = t.server.AddKey()
	t.sync = reconcile.Sync{
		Name: "users", Source: made.RowsOf(made.Users(people)), Guards: reconcile.Guards{FirstRun: true}, Topics: []reconcile.Topic{{ID: t.server.AddTopic("newsletter", false), When: true}},
	}
	fast, err := t.client(owlat.WithoutLimiter())
	if err != nil {
		return nil, err
	}
	if _, err := reconcile.New(fast, book, reconcile.Options{}).Run(ctx, t.sync, reconcile.RunOptions{}); err != nil {
		return nil, err
	}
	time.Sleep(time.Second) // nobody leaves in the millisecond in which they were added
	return t, nil
}

func (t *town) client(options ...owlat.Option) (*owlat.Client, error) {
	return owlat.NewClient("https://owlat.example", t.key, append([]owlat.Option{owlat.WithTransport(t.server.Transport())}, options...)...)
}

// Verify verifies so many people with memberships. PerSecond limits requests by links, +Inf lets all go, also those to the API.
func Verify(ctx context.Context, people int, perSecond float64) (v Verified, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	book, err := sqlite.Open(ctx, "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	t, err := settle(ctx, book, people)
	if err != nil {
		return v, err
	}
	for i := 0; i < people; i += leftEvery {
		if err := t.server.Unsubscribe(fmt.Sprintf("user%d@example.com", i), t.sync.Topics[0].ID); err != nil {
			return v, err
		}
		v.Left++
	}
	options := []owlat.Option{owlat.WithUnsubscribeSecret(secret), owlat.WithPreferencesRate(perSecond)}
	if math.IsInf(perSecond, 1) {
		options = append(options, owlat.WithoutLimiter())
	}
	asking, err := t.client(options...)
	if err != nil {
		return v, err
	}
	links, api, began := 0, 0, time.Time{}
	result, err := reconcile.New(asking, book, reconcile.Options{}).Verify(ctx, []reconcile.Sync{t.sync}, reconcile.VerifyOptions{Members: true, Before: func(int, float64) error {
		links, api, began = t.server.Stats().Links.Total, t.server.Stats().Total, time.Now()
		return nil
	}})
	if err != nil {
		return v, err
	}
	v.Took = time.Since(began)
	v.People, v.Links, v.API = result.Members.Contacts, t.server.Stats().Links.Total-links, t.server.Stats().Total-api
	if left := result.Findings[reconcile.LeftTopic]; left != v.Left || result.Members.Unread > 0 || v.People != people {
		return v, fmt.Errorf("%d of %d are told to have left, %d were read and %d not", left, v.Left, v.People, result.Members.Unread)
	}
	return v, nil
}

// Measure is the part of the benchmarks.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	var limited Verified
	err := bubble.Run(ctx, "memberships", func(ctx context.Context) (err error) {
		limited, err = Verify(ctx, People, owlat.DefaultPreferencesRate)
		return err
	})
	if err != nil {
		return findings.Section{}, err
	}
	fmt.Fprintf(log, "%d people at %d a second: %v, %d requests\n", limited.People, owlat.DefaultPreferencesRate, limited.Took, limited.Links)
	free, err := Verify(ctx, People, math.Inf(1))
	if err != nil {
		return findings.Section{}, err
	}
	fmt.Fprintf(log, "%d people without limits: %v\n", free.People, free.Took)
	t := findings.Table{Columns: []string{"limit", "people", "of them left", "requests by links", "requests to the API", "time", "people a second"}}
	for _, row := range []struct {
		limit string
		Verified
	}{{fmt.Sprintf("%d a second", owlat.DefaultPreferencesRate), limited}, {"none", free}} {
		t.Rows = append(t.Rows, []string{row.limit, findings.Count(row.People), findings.Count(row.Left), findings.Count(row.Links), findings.Count(row.API),
			findings.Span(row.Took), findings.Figure(float64(row.People) / row.Took.Seconds())})
	}
	return findings.Section{
		Title: "Memberships", Intro: fmt.Sprintf(intro, findings.Count(People), leftEvery, owlat.DefaultPreferencesRate), Tables: []findings.Table{t}, Goals: goals(limited, free),
	}, nil
}

// most is how long the reading may take: the limits, and nothing beside them.
func (v Verified) most() time.Duration {
	return time.Duration(v.Links)*time.Second/owlat.DefaultPreferencesRate + time.Duration(v.API)*time.Second/owlat.DefaultRate
}

func goals(limited, free Verified) []findings.Goal {
	extra := max(limited.Links, free.Links) - People
	return []findings.Goal{
		{What: "Memberships: requests by links beyond one for each person", Want: "0", Got: findings.Count(extra), Missed: extra > 0},
		{What: fmt.Sprintf("Memberships of %s people at %d a second", findings.Count(People), owlat.DefaultPreferencesRate),
			Want: "at most " + findings.Span(limited.most()), Got: findings.Span(limited.Took), Missed: limited.Took > limited.most()},
	}
}
