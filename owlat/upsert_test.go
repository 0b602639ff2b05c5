package owlat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

var ada = owlat.CreateContactRequest{Email: "Ada@Example.com", FirstName: new("Ada"), LastName: new("Lovelace")}

func TestUpsertCreates(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	got, err := d.client.Contacts.Upsert(t.Context(), ada)
	if err != nil || !got.Created || got.Email != "ada@example.com" || got.FirstName != "Ada" || got.LastName != "Lovelace" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if held, ok := d.Contact("ada@example.com"); !ok || held.ID != got.ID || d.Stats().Total != 1 {
		t.Errorf("Owlat holds %+v after %d requests", held, d.Stats().Total)
	}
}

func TestUpsertUpdates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		first, last *string
		want        [2]string
	}{
		{"both", new("A."), new("L."), [2]string{"A.", "L."}},
		{"one, leaving the other", new("A."), nil, [2]string{"A.", "Old"}},
		{"emptying one", nil, new(""), [2]string{"Old", ""}},
		{"nothing to change", nil, nil, [2]string{"Old", "Old"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t)
			before, err := d.client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: ada.Email, FirstName: new("Old"), LastName: new("Old")})
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.client.Contacts.Upsert(t.Context(), owlat.CreateContactRequest{Email: ada.Email, FirstName: c.first, LastName: c.last})
			if err != nil || got.Created || got.ID != before.ID || [2]string{got.FirstName, got.LastName} != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if total := d.Stats().Total - 1; total != 2 || d.Len() != 1 {
				t.Errorf("%d requests, want 2; %d contacts, want 1", total, d.Len())
			}
		})
	}
}

func TestUpsertAgainstAddressDrift(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	holder := d.create(t, "old@example.com", "Ada")
	if _, err := d.client.Contacts.Update(t.Context(), holder.ID, owlat.UpdateContactRequest{Email: new("new@example.com")}); err != nil {
		t.Fatal(err)
	}
	before := d.Stats().Total
	got, err := d.client.Contacts.Upsert(t.Context(), owlat.CreateContactRequest{Email: "old@example.com", FirstName: new("Eve")})
	var drift *owlat.AddressDriftError
	if got != nil || !errors.Is(err, owlat.ErrAddressDrift) || !errors.As(err, &drift) {
		t.Fatalf("got %+v, %v", got, err)
	}
	var taken *owlat.Error
	if !errors.As(err, &taken) || taken.StatusCode != 409 || !errors.Is(err, owlat.ErrConflict) || owlat.OutcomeUnknown(err) {
		t.Errorf("it does not unwrap to the 409: %v", err)
	}
	if errors.Is(err, owlat.ErrNotFound) {
		t.Error("it looks like a contact that is gone")
	}
	if !strings.Contains(err.Error(), "identity table") || strings.Contains(err.Error(), "@") {
		t.Errorf("message: %s", err)
	}
	if total := d.Stats().Total - before; total != 2 {
		t.Errorf("%d requests, want 2", total)
	}
	if held, _ := d.Contact(holder.ID); held.FirstName != "Ada" || d.Len() != 1 {
		t.Errorf("Owlat holds %+v of %d", held, d.Len())
	}
}

// lost lists ways in which a create loses its answer, and whether it takes effect.
var lost = []struct {
	name    string
	fault   owlattest.Fault
	created bool
}{
	{"reset before", owlattest.Fault{Kind: owlattest.ResetBefore}, false},
	{"reset after", owlattest.Fault{Kind: owlattest.ResetAfter}, true},
	{"503 before", owlattest.Fault{Kind: owlattest.StatusError}, false},
	{"502 after", owlattest.Fault{Kind: owlattest.StatusError, Status: 502, HTML: true, After: true}, true},
	{"body cut off", owlattest.Fault{Kind: owlattest.TruncatedBody}, true},
	{"endless body", owlattest.Fault{Kind: owlattest.EndlessBody, Delay: time.Second}, true},
	{"too slow before", owlattest.Fault{Kind: owlattest.Latency, Delay: time.Minute}, false},
	{"too slow after", owlattest.Fault{Kind: owlattest.Latency, Delay: time.Minute, After: true}, true},
}

func TestUpsertSurvivesLostAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range lost {
		for _, exists := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/exists=%v", c.name, exists), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					d := deploy(t)
					if exists {
						d.create(t, ada.Email, "Old")
						time.Sleep(time.Hour)
					}
					fault := c.fault
					fault.Method, fault.Route, fault.Count = "POST", "/contacts", 1
					d.inject(t, fault)
					before := d.Stats()
					got, err := d.client.Contacts.Upsert(t.Context(), ada)
					if err != nil || got.FirstName != "Ada" || got.LastName != "Lovelace" {
						t.Fatalf("got %+v, %v", got, err)
					}
					if got.Created == exists {
						t.Errorf("Created = %v", got.Created)
					}
					if held := d.Contacts(); len(held) != 1 || held[0].ID != got.ID || held[0].FirstName != "Ada" {
						t.Errorf("Owlat holds %+v", held)
					}
					stats := d.Stats()
					// The lost create and the read; then an update, another create, or nothing. The status of an answer
					// without a body is answer enough for an update.
					want := 3
					if c.created && !exists || exists && strings.HasSuffix(string(c.fault.Kind), "_body") {
						want = 2
					}
					if total := stats.Total - before.Total; total != want {
						t.Errorf("%d requests, want %d", total, want)
					}
				})
			})
		}
	}
}

func TestUpsertAfterLostAnswerWithoutReadScope(t *testing.T) {
	t.Parallel()
	for _, c := range lost {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := deploy(t)
				client := d.connect(t, d.AddKey("contacts:write"))
				fault := c.fault
				fault.Method, fault.Count = "POST", 1
				d.inject(t, fault)
				got, err := client.Contacts.Upsert(t.Context(), ada)
				if err != nil || !got.Created || got.FirstName != "Ada" || d.Len() != 1 {
					t.Errorf("got %+v, %v; %d contacts", got, err, d.Len())
				}
			})
		})
	}
}

func TestUpsertGivesUpOnCreateThatNeverArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.ResetBefore, Method: "POST"})
		_, err := d.client.Contacts.Upsert(t.Context(), ada)
		var broken *owlat.TransportError
		if !errors.As(err, &broken) || !owlat.OutcomeUnknown(err) {
			t.Errorf("got %v", err)
		}
		stats := d.Stats()
		if creates, reads := stats.Count("POST", "/contacts", 0), stats.Count("GET", "", 0); creates != 3 || reads != 3 {
			t.Errorf("%d creates and %d reads, want 3 each", creates, reads)
		}
	})
}

func TestUpsertThatCannotReadBackSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.ResetAfter})
		_, err := d.client.Contacts.Upsert(t.Context(), ada)
		if !owlat.OutcomeUnknown(err) || !strings.Contains(err.Error(), "read back after a lost answer") {
			t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
		}
	})
}

func TestUpsertDoesNotTakeForeign404ForAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		creates := 0
		client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				creates++
				return reply(502, ""), nil
			}
			return reply(404, "<html>not here</html>"), nil
		}))
		_, err := client.Contacts.Upsert(t.Context(), ada)
		if !errors.Is(err, owlat.ErrNoRoute) || !owlat.OutcomeUnknown(err) || creates != 1 {
			t.Errorf("got %v after %d creates", err, creates)
		}
	})
}

func TestUpsertStopsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * time.Second, After: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := d.client.Contacts.Upsert(ctx, ada)
		if !errors.Is(err, context.DeadlineExceeded) || !owlat.OutcomeUnknown(err) {
			t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
		}
		if total := d.Stats().Total; total != 1 {
			t.Errorf("%d requests, want 1", total)
		}
	})
}

func TestUpsertRefusals(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	for _, c := range []struct {
		email string
		want  error
	}{{"", owlat.ErrInvalidInput}, {"nope", owlat.ErrInvalidInput}, {" ada@example.com", owlat.ErrInvalidInput}} {
		if _, err := d.client.Contacts.Upsert(t.Context(), owlat.CreateContactRequest{Email: c.email}); !errors.Is(err, c.want) || owlat.OutcomeUnknown(err) {
			t.Errorf("%q: got %v, want %v", c.email, err, c.want)
		}
	}
	if total := d.Stats().Total; total != 2 {
		t.Errorf("%d requests, want 2", total)
	}
}

// TestUpsertJudgesAgeByServerClock lets the server's clock be wrong by a day in both directions.
func TestUpsertJudgesAgeByServerClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} {
		for _, c := range []struct {
			age    time.Duration
			source string
			want   bool
		}{{0, "api", true}, {time.Second, "api", true}, {10 * time.Second, "api", false}, {0, "import", false}} {
			synctest.Test(t, func(t *testing.T) {
				client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodPost {
						return nil, errBroken
					}
					now := time.Now().Add(skew)
					made := now.Add(-c.age).UTC().Format("2006-01-02T15:04:05.000Z")
					return reply(200, `{"data":{"id":"k570000000","email":"ada@example.com","firstName":"Ada","lastName":"Lovelace","source":"`+
						c.source+`","createdAt":"`+made+`"}}`, "X-RateLimit-Reset", fmt.Sprint(now.Unix()+1)), nil
				}))
				got, err := client.Contacts.Upsert(t.Context(), ada)
				if err != nil || got.Created != c.want {
					t.Errorf("skew %v, %+v: got %+v, %v", skew, c, got, err)
				}
			})
		}
	}
}

func TestDeleteSurvivesLostAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range lost {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := deploy(t)
				made := d.create(t, "ada@example.com", "Ada")
				fault := c.fault
				fault.Count = 1
				d.inject(t, fault)
				if err := d.client.Contacts.Delete(t.Context(), made.ID); err != nil {
					t.Error(err)
				}
				if err := d.client.Contacts.Delete(t.Context(), made.ID); !errors.Is(err, owlat.ErrNotFound) || errors.Is(err, owlat.ErrNoRoute) {
					t.Errorf("the second delete: %v", err)
				}
			})
		})
	}
}
