// Package baseline is the script that Owlat documents for syncing a user database, in Go: it creates each user, or updates on 409,
// five at a time, and then adds everybody to a topic at once. This module is measured against it. So it keeps the script's ways: no
// limiter, no memory between runs, two retries, and what fails then is lost.
package baseline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/owlat"
)

// ChunkSize is how many users the script syncs at once.
const ChunkSize = 5

// User is a row of the user database.
type User struct {
	Email     string
	FirstName string
	LastName  string
}

// Client is a client without a limiter that counts its requests.
type Client struct {
	*owlat.Client
	requests    atomic.Int64
	rateLimited atomic.Int64
}

// NewClient returns a client for Run. The options are applied after those of the script.
func NewClient(baseURL, apiKey string, opts ...owlat.Option) (*Client, error) {
	c := &Client{}
	count := func(a owlat.Attempt) {
		c.requests.Add(1)
		if errors.Is(a.Err, owlat.ErrRateLimited) {
			c.rateLimited.Add(1)
		}
	}
	script := []owlat.Option{owlat.WithoutLimiter(), owlat.WithRetries(2), owlat.WithObserver(count)}
	client, err := owlat.NewClient(baseURL, apiKey, append(script, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make the script's client: %w", err)
	}
	c.Client = client
	return c, nil
}

// Phase is what one half of a run sent and achieved.
type Phase struct {
	Done        int // users who succeeded
	Lost        int // users who failed for good
	Requests    int
	RateLimited int // requests answered 429
	Elapsed     time.Duration
}

// Result is what a run sent and achieved: first the contacts, then the topic.
type Result struct {
	Contacts Phase
	Created  int // of Contacts.Done; the others were updated
	Topic    Phase
}

// Requests returns how many requests the run sent.
func (r Result) Requests() int { return r.Contacts.Requests + r.Topic.Requests }

// RateLimited returns how many of them were answered 429.
func (r Result) RateLimited() int { return r.Contacts.RateLimited + r.Topic.RateLimited }

// Run syncs the users and adds all of them to the topic, as the script does.
func Run(ctx context.Context, client *Client, users []User, topicID string) Result {
	var r Result
	var created atomic.Int64
	r.Contacts = client.phase(func() (done, lost int) {
		for begin := 0; begin < len(users); begin += ChunkSize {
			chunk := users[begin:min(begin+ChunkSize, len(users))]
			d, l := atOnce(chunk, func(u User) error {
				isNew, err := client.sync(ctx, u)
				if isNew {
					created.Add(1)
				}
				return err
			})
			done, lost = done+d, lost+l
		}
		return done, lost
	})
	r.Created = int(created.Load())
	r.Topic = client.phase(func() (done, lost int) {
		return atOnce(users, func(u User) error {
			_, err := client.Topics.Add(ctx, topicID, owlat.AddMemberRequest{Email: u.Email})
			return err
		})
	})
	return r
}

// sync creates the user's contact, or updates it if it exists.
func (c *Client) sync(ctx context.Context, u User) (created bool, err error) {
	_, err = c.Contacts.Create(ctx, owlat.CreateContactRequest{Email: u.Email, FirstName: &u.FirstName, LastName: &u.LastName})
	if errors.Is(err, owlat.ErrConflict) {
		_, err = c.Contacts.Update(ctx, u.Email, owlat.UpdateContactRequest{FirstName: &u.FirstName, LastName: &u.LastName})
		return false, err
	}
	return err == nil, err
}

func (c *Client) phase(run func() (done, lost int)) Phase {
	begin, requests, rateLimited := time.Now(), c.requests.Load(), c.rateLimited.Load()
	done, lost := run()
	return Phase{
		Done:        done,
		Lost:        lost,
		Requests:    int(c.requests.Load() - requests),
		RateLimited: int(c.rateLimited.Load() - rateLimited),
		Elapsed:     time.Since(begin),
	}
}

// atOnce runs send for all users at the same time.
func atOnce(users []User, send func(User) error) (done, lost int) {
	var failed atomic.Int64
	var wg sync.WaitGroup
	for _, u := range users {
		wg.Go(func() {
			if send(u) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	lost = int(failed.Load())
	return len(users) - lost, lost
}
