package owlat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func users(n int) (contacts []owlat.CreateContactRequest, members []owlat.AddMemberRequest) {
	for i := range n {
		email := fmt.Sprintf("user%d@example.com", i)
		contacts = append(contacts, owlat.CreateContactRequest{Email: email, FirstName: new(fmt.Sprint("User ", i))})
		members = append(members, owlat.AddMemberRequest{Email: email})
	}
	return contacts, members
}

// limited is a deployment with Owlat's own limits and a client with the default ones.
func limited(t *testing.T, opts ...owlat.Option) *deployment {
	t.Helper()
	s := &owlattest.Server{BasePath: basePath, RandomSeed: 1}
	d := &deployment{Server: s, topic: s.AddTopic("Newsletter", false)}
	d.client = connect(t, s.AddKey(), s.Transport(), opts...)
	return d
}

func TestBatchOf300WithinOwlatsLimits(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{0, 50 * ms, 300 * ms} {
		t.Run(latency.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := limited(t)
				if latency > 0 {
					d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: latency / 2}, owlattest.Fault{Kind: owlattest.Latency, Delay: latency / 2, After: true})
				}
				contacts, members := users(300)
				begin := time.Now()
				for i, r := range d.client.Contacts.UpsertBatch(t.Context(), contacts) {
					if r.Err != nil || !r.Value.Created || r.Value.Email != contacts[i].Email {
						t.Errorf("contact %d: %+v", i, r)
					}
				}
				for i, r := range d.client.Topics.AddBatch(t.Context(), d.topic, members) {
					if held, _ := d.Contact(members[i].Email); r.Err != nil || r.Value.TopicID != d.topic || r.Value.ContactID != held.ID || len(held.Topics) != 1 {
						t.Errorf("member %d: %+v of %+v", i, r, held)
					}
				}
				stats := d.Stats()
				if stats.Total != 600 || stats.RateLimited != 0 || d.Len() != 300 {
					t.Errorf("%d requests, %d answers 429, %d contacts; want 600, 0, 300", stats.Total, stats.RateLimited, d.Len())
				}
				// Eight at once and then ten a second; between the two batches one latency passes unused.
				if took, least := time.Since(begin), 59200*ms; took < least || took > least+2*latency {
					t.Errorf("took %v, want %v and little more", took, least)
				}
			})
		})
	}
}

func TestBatchBesideAnotherClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		key := d.AddKey()
		ours, theirs := connect(t, key, d.Transport()), connect(t, key, d.Transport(), owlat.WithRate(5, 5), owlat.WithRetries(0))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				_, _ = theirs.Contacts.List(ctx, owlat.ListContactsRequest{})
			}
		}()
		contacts, _ := users(300)
		for i, r := range ours.Contacts.UpsertBatch(t.Context(), contacts) {
			if r.Err != nil {
				t.Errorf("contact %d: %v", i, r.Err)
			}
		}
		cancel()
		<-done
		if d.Stats().RateLimited == 0 {
			t.Error("the other client was to take more than Owlat allows")
		}
	})
}

func TestBatchOutlasts429Storm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.RateLimited, Count: 60})
		contacts, _ := users(20)
		for i, r := range d.client.Contacts.UpsertBatch(t.Context(), contacts) {
			if r.Err != nil {
				t.Errorf("contact %d: %v", i, r.Err)
			}
		}
		if d.Len() != 20 {
			t.Errorf("%d contacts, want 20", d.Len())
		}
	})
}

// TestBatchCountsFailuresApartFrom429s lets an update meet more 429s than a client retries before it meets a 503.
func TestBatchCountsFailuresApartFrom429s(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		d.create(t, "ada@example.com", "Old")
		d.inject(t,
			owlattest.Fault{Kind: owlattest.RateLimited, Method: "PUT", Count: 5},
			owlattest.Fault{Kind: owlattest.StatusError, Method: "PUT", Count: 2})
		for _, r := range d.client.Contacts.UpsertBatch(t.Context(), []owlat.CreateContactRequest{ada}) {
			if r.Err != nil || r.Value.FirstName != "Ada" {
				t.Errorf("got %+v", r)
			}
		}
	})
}

func TestBatchKeepsFailuresApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.create(t, "here@example.com", "Old")
		drifted := d.create(t, "drifted@example.com", "Old")
		if _, err := d.client.Contacts.Update(t.Context(), drifted.ID, owlat.UpdateContactRequest{Email: new("moved@example.com")}); err != nil {
			t.Fatal(err)
		}
		in := []owlat.CreateContactRequest{
			{Email: "new@example.com"}, {Email: ""}, {Email: "nope"}, {Email: "drifted@example.com"}, {Email: "here@example.com"}, {Email: "last@example.com"},
		}
		want := []error{nil, owlat.ErrInvalidInput, owlat.ErrInvalidInput, owlat.ErrAddressDrift, nil, nil}
		for i, r := range d.client.Contacts.UpsertBatch(t.Context(), in, owlat.WithConcurrency(3)) {
			if !errors.Is(r.Err, want[i]) {
				t.Errorf("%d: got %v, want %v", i, r.Err, want[i])
			}
			if r.Err == nil && (r.Value.Email != in[i].Email || r.Value.Created == (in[i].Email == "here@example.com")) {
				t.Errorf("%d: got %+v", i, r.Value)
			}
		}
		members := []owlat.AddMemberRequest{{Email: "new@example.com"}, {}, {Email: "ghost@example.com"}, {ContactID: drifted.ID}}
		wantAdds := []error{nil, owlat.ErrInvalidInput, owlat.ErrNotFound, nil}
		for i, r := range d.client.Topics.AddBatch(t.Context(), d.topic, members) {
			if !errors.Is(r.Err, wantAdds[i]) {
				t.Errorf("add %d: got %v, want %v", i, r.Err, wantAdds[i])
			}
		}
	})
}

func TestBatchStopsWhereAllWouldFail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer roundTripper
		want   error
	}{
		{always(401, refusal("unauthenticated", "Invalid API key")), owlat.ErrUnauthenticated},
		{always(402, refusal("limit_reached", "Too many contacts")), owlat.ErrLimitReached},
		{always(403, refusal("forbidden", "missing scope")), owlat.ErrForbidden},
		{always(404, "No HttpAction routed"), owlat.ErrNoRoute},
	} {
		t.Run(c.want.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int32
				client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
					requests.Add(1)
					time.Sleep(time.Second)
					return c.answer(r)
				}), owlat.WithoutLimiter())
				contacts, _ := users(100)
				for i, r := range client.Contacts.UpsertBatch(t.Context(), contacts, owlat.WithConcurrency(4)) {
					if !errors.Is(r.Err, c.want) || owlat.OutcomeUnknown(r.Err) {
						t.Errorf("%d: got %v", i, r.Err)
					}
				}
				if got := requests.Load(); got != 4 {
					t.Errorf("%d requests, want the 4 in flight", got)
				}
			})
		})
	}
}

func TestBatchEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2050*ms)
		defer cancel()
		contacts, _ := users(100)
		done := 0
		for i, r := range d.client.Contacts.UpsertBatch(ctx, contacts) {
			_, held := d.Contact(contacts[i].Email)
			switch {
			case r.Err == nil:
				done++
				if !held {
					t.Errorf("%d: reported as done and not there", i)
				}
			case held || !errors.Is(r.Err, context.DeadlineExceeded) || owlat.OutcomeUnknown(r.Err):
				t.Errorf("%d: got %v, held %v", i, r.Err, held)
			}
		}
		if done != 28 { // 8 at once and 20 in two seconds
			t.Errorf("%d done, want 28", done)
		}
	})
}

func TestBatchConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ option, inputs, want int }{{0, 200, 128}, {3, 50, 3}, {100, 20, 20}, {5, 0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int32
			client := connect(t, anyKey, roundTripper(func(*http.Request) (*http.Response, error) {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Second)
				now.Add(-1)
				return reply(201, oneContact), nil
			}), owlat.WithoutLimiter())
			contacts, _ := users(c.inputs)
			results := client.Contacts.UpsertBatch(t.Context(), contacts, owlat.WithConcurrency(c.option))
			for i, r := range results {
				if r.Input.Email != contacts[i].Email || r.Err != nil {
					t.Errorf("%+v: result %d is of %q: %v", c, i, r.Input.Email, r.Err)
				}
			}
			if len(results) != c.inputs || int(most.Load()) != c.want {
				t.Errorf("%+v: %d results, %d in flight", c, len(results), most.Load())
			}
		})
	}
}

func TestBatchRefusesANegativeConcurrency(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	contacts, _ := users(3)
	results := d.client.Contacts.UpsertBatch(t.Context(), contacts, owlat.WithConcurrency(-1))
	for i, r := range results {
		if r.Err == nil || owlat.OutcomeUnknown(r.Err) || r.Input.Email != contacts[i].Email {
			t.Errorf("result %d, of %q: %v", i, r.Input.Email, r.Err)
		}
	}
	if len(results) != 3 || d.Stats().Total != 0 {
		t.Errorf("%d results and %d requests, want 3 and 0", len(results), d.Stats().Total)
	}
}

func TestBatchKeepsTheOrderOfOneAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: ms, Jitter: time.Second})
		var in []owlat.CreateContactRequest
		for i := range 10 {
			for _, email := range []string{"a@example.com", "A@Example.com", "b@example.com"} {
				in = append(in, owlat.CreateContactRequest{Email: email, FirstName: new(fmt.Sprint(i))})
			}
		}
		for i, r := range d.client.Contacts.UpsertBatch(t.Context(), in) {
			if r.Err != nil || r.Value.Created != (i == 0 || i == 2) {
				t.Errorf("%d: %+v", i, r)
			}
		}
		for _, held := range d.Contacts() {
			if held.FirstName != "9" {
				t.Errorf("Owlat holds %+v, want the last of its inputs", held)
			}
		}
	})
}

func TestBatchSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := limited(t)
		d.inject(t,
			owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: "/contacts", Rate: 0.2},
			owlattest.Fault{Kind: owlattest.ResetBefore, Method: "POST", Route: "/contacts", Rate: 0.1})
		contacts, _ := users(300)
		failed := 0
		for _, r := range d.client.Contacts.UpsertBatch(t.Context(), contacts) {
			if r.Err != nil {
				failed++
				continue
			}
			if !r.Value.Created {
				t.Errorf("%+v was created by this batch", r.Value)
			}
		}
		// Three creates lost in a row, each before it took effect, have a chance of about one in a thousand.
		if failed > 2 || d.Len() < 300-failed || d.Stats().Faults < 50 || d.Stats().RateLimited != 0 {
			t.Errorf("%d failed, %d contacts, %d faults, %d answers 429", failed, d.Len(), d.Stats().Faults, d.Stats().RateLimited)
		}
	})
}
