package home

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/api"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestTheBudgetInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{}
		var m meter
		if b, here := m.read(time.Now(), 3, 2); here || b.Limit != 6 || b.Used != 0 {
			t.Errorf("without a home: %+v, %v", b, here)
		}
		client, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()),
			owlat.WithUnsubscribeSecret("a secret of links"), owlat.WithObserver(m.add))
		if err != nil {
			t.Fatal(err)
		}
		m.watch(client)
		if b, here := m.read(time.Now(), 0, 1); !here || b.Limit != 0 || b.Used != 0 || b.Keys != nil {
			t.Errorf("before the first answer: %+v, %v", b, here)
		}
		for range 40 {
			if _, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Preferences.Get(t.Context(), "k5700000000000000000000000000000"); err == nil { // takes nothing of the budget
			t.Fatal("a token of another secret was taken")
		}
		if b, _ := m.read(time.Now(), 0, 1); b.Limit != 10 || b.Used != 4 {
			t.Errorf("after 40 requests: %+v", b)
		}
		if b, _ := m.read(time.Now(), 2.5, 1); b.Limit != 2.5 {
			t.Errorf("with less than Owlat allows: %+v", b)
		}
		time.Sleep(api.BudgetWindow * time.Second)
		if b, _ := m.read(time.Now(), 0, 1); b.Limit != 10 || b.Used != 0 {
			t.Errorf("after a rest: %+v", b)
		}
		several, err := owlat.NewClient("https://owlat.example", server.AddKey(), owlat.WithTransport(server.Transport()), owlat.WithMoreKeys(server.AddKey(), "lm_live_"+strings.Repeat("a", 40)),
			owlat.WithObserver(m.add))
		if err != nil {
			t.Fatal(err)
		}
		m.watch(several)
		for range 41 {
			if _, err := several.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if b, _ := m.read(time.Now(), 0, 3); b.Limit != 20 || math.Round(10*b.Used) != 42 || len(b.Keys) != 3 || b.Keys[0].Limit != 10 || b.Keys[0].Refused ||
			b.Keys[1].Used < 1.9 || !b.Keys[2].Refused || b.Keys[2].Used != 0.1 {
			t.Errorf("with three keys, of which one is refused: %+v", b)
		}
		m.watch(client)
		m.leave(nil)
		if _, here := m.read(time.Now(), 0, 1); !here {
			t.Error("a home that has left takes the next one's client")
		}
		m.leave(client)
		if _, here := m.read(time.Now(), 0, 1); here {
			t.Error("the home is still here")
		}
	})
}
