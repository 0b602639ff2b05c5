package owlattest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"owlatsync/owlat/owlattest"
)

// TestManyAtOnce lets goroutines do everything at once on few addresses; the race detector and the invariants judge.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig()
	topics := []string{r.s.AddTopic("a", false), r.s.AddTopic("b", true)}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(worker)))
			address := func() string { return fmt.Sprintf("p%d@example.com", rng.IntN(5)) }
			for range 300 {
				email, body := address(), `{"email":"`+address()+`"}`
				member := "/topics/" + topics[rng.IntN(2)] + "/contacts"
				var err error
				switch rng.IntN(10) {
				case 0, 1:
					_, _, err = r.do(t.Context(), "POST", "/contacts", body)
				case 2:
					_, _, err = r.do(t.Context(), "PUT", "/contacts/"+email, body)
				case 3:
					_, _, err = r.do(t.Context(), "DELETE", "/contacts/"+email, "")
				case 4, 5:
					_, _, err = r.do(t.Context(), "POST", member, body)
				case 6:
					_, _, err = r.do(t.Context(), "DELETE", member+"/"+email, "")
				case 7:
					_, _, err = r.do(t.Context(), "GET", "/contacts?limit=2&search=p1", "")
				case 8:
					_ = r.s.Unsubscribe(email, "") // there may be no such contact
					_ = r.s.ConfirmDoubleOptIn(email)
				case 9:
					_ = r.s.SoftDelete(email)
					r.s.Stats()
					r.s.History(email)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	all := r.s.Contacts()
	if len(all) != r.s.Len() {
		t.Errorf("%d contacts are listed, %d counted", len(all), r.s.Len())
	}
	oldest := map[string]string{}
	for _, c := range all {
		if oldest[c.Email] == "" {
			oldest[c.Email] = c.ID
		}
	}
	for email, id := range oldest {
		if c, ok := r.s.Contact(email); !ok || c.ID != id {
			t.Errorf("%s finds %s, the oldest is %s", email, c.ID, id)
		}
	}
	if st := r.s.Stats(); st.Count("", "", http.StatusInternalServerError) != 0 || len(st.Log) != st.Total {
		t.Errorf("%+v", st.Requests)
	}
}

// answering measures requests to a server that already holds many contacts, without the cost of a client.
func answering(b *testing.B, method string, target func(i int) string, body func(i int) string) {
	s := &owlattest.Server{NoLimit: true}
	key := "Bearer " + s.AddKey()
	if _, err := s.Seed(100_000, ""); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		req := httptest.NewRequest(method, target(i), strings.NewReader(body(i)))
		req.Header.Set("Authorization", key)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, req); w.Code > 299 {
			b.Fatal(w.Code, w.Body)
		}
	}
}

func none(int) string { return "" }

func BenchmarkCreate(b *testing.B) {
	answering(b, "POST", func(int) string { return "/api/v1/contacts" }, func(i int) string {
		return fmt.Sprintf(`{"email":"new%d@example.com","firstName":"New","lastName":"Person"}`, i)
	})
}

func BenchmarkGetByAddress(b *testing.B) {
	answering(b, "GET", func(i int) string { return fmt.Sprintf("/api/v1/contacts/person%d%%40seed.example", i%100_000+1) }, none)
}

func BenchmarkUpdate(b *testing.B) {
	answering(b, "PUT", func(i int) string { return fmt.Sprintf("/api/v1/contacts/person%d@seed.example", i%100_000+1) }, func(int) string {
		return `{"firstName":"Changed"}`
	})
}

func BenchmarkList100(b *testing.B) {
	answering(b, "GET", func(int) string { return "/api/v1/contacts?limit=100" }, none)
}

func BenchmarkTransport(b *testing.B) {
	r := newRig()
	r.s.Rate = 1e9
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		status, _, err := r.do(b.Context(), "POST", "/contacts", fmt.Sprintf(`{"email":"new%d@example.com"}`, i))
		if err != nil || status != http.StatusCreated {
			b.Fatal(status, err)
		}
	}
}
