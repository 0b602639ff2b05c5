package owlat_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"owlatsync/owlat"
)

// none is no context, as a caller has it who forgot to set one.
var none context.Context

func TestMethodsRefuseANilContext(t *testing.T) {
	t.Parallel()
	eachMethod(t, func(t *testing.T, m method, d *deployment) {
		before := d.sent(m)
		err := m.call(none, d.client, d)
		var refused *owlat.Error
		if !errors.As(err, &refused) || !errors.Is(err, owlat.ErrInvalidInput) || !strings.Contains(err.Error(), "the context is nil") || d.sent(m) != before {
			t.Errorf("got %v", err)
		}
	})
}

func TestNilContextsAndOptionsOfOtherCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	contacts, members := users(2)
	for name, errs := range map[string][]error{
		"Upsert":                     {second(d.client.Contacts.Upsert(none, contacts[0]))},
		"UpsertBatch":                errorsOf(d.client.Contacts.UpsertBatch(none, contacts)),
		"AddBatch":                   errorsOf(d.client.Topics.AddBatch(none, d.topic, members)),
		"UpsertBatch, option":        errorsOf(d.client.Contacts.UpsertBatch(t.Context(), contacts, nil)),
		"Limiter.Wait":               {owlat.NewLimiter(1, 1).Wait(none)},
		"Limiter.Wait, made by hand": {new(owlat.Limiter).Wait(t.Context())},
	} {
		if len(errs) == 0 {
			t.Errorf("%s returned nothing", name)
		}
		for _, err := range errs {
			if err == nil || !strings.HasPrefix(err.Error(), "owlat: ") || owlat.OutcomeUnknown(err) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	pool := d.client.NewPool(1)
	for range 3 { // the second one waits for room
		pool.Go(none, func(ctx context.Context, c *owlat.Client) {
			if _, err := c.Health(ctx); err == nil {
				t.Error("a call without a context was sent")
			}
		})
	}
	pool.Wait()
	pool.Close(nil)
	pool.Go(t.Context(), func(ctx context.Context, c *owlat.Client) {
		if _, err := c.Health(ctx); !errors.Is(err, owlat.ErrPoolClosed) || strings.Contains(err.Error(), "nil") {
			t.Errorf("closed for no reason: %v", err)
		}
	})
	pool.Wait()
	if got := d.Stats().Total; got != 0 {
		t.Errorf("%d requests were sent", got)
	}
}

func errorsOf[In, Out any](results []owlat.BatchResult[In, Out]) (errs []error) {
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	return errs
}
