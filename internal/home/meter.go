package home

import (
	"sync"
	"time"

	"owlatsync/internal/api"
	"owlatsync/owlat"
)

// meter knows how fast requests are sent to Owlat, and how fast they may be. The zero value knows nothing. It is safe for concurrent use.
type meter struct {
	mu     sync.Mutex
	client *owlat.Client                 // nil: the deployment is not at home here
	sent   [api.BudgetWindow]map[int]int // with each key, in each of the latest seconds; its number modulo the length is its place
	of     [api.BudgetWindow]int64       // which seconds those are
}

// watch takes the client that has the budget.
func (m *meter) watch(client *owlat.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client = client
}

// leave gives the client up, unless another came in its place.
func (m *meter) leave(client *owlat.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == client {
		m.client = nil
	}
}

// add takes in a request that was sent, if it took of the budget.
func (m *meter) add(a owlat.Attempt) {
	if a.ByToken {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	second := a.Start.Unix()
	i := second % api.BudgetWindow
	if m.of[i] != second {
		m.of[i], m.sent[i] = second, make(map[int]int)
	}
	m.sent[i][a.Key]++
}

// read returns how much was sent in the whole seconds before now, and what may be sent; most is what the configuration allows each of so many
// keys, 0 for as much as Owlat does.
func (m *meter) read(now time.Time, most float64, keys int) (b api.Budget, here bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		return api.Budget{Limit: most * float64(keys)}, false
	}
	for i, key := range m.client.Keys() {
		sum := 0
		for n, second := range m.of {
			if age := now.Unix() - second; age >= 0 && age < api.BudgetWindow {
				sum += m.sent[n][i+1]
			}
		}
		if key.RateLimit.Limit == 0 && len(key.Refused) == 0 { // not used yet
			key.RateLimit = m.client.RateLimit()
		}
		one := api.KeyBudget{Limit: float64(key.RateLimit.Limit), Used: float64(sum) / api.BudgetWindow, Refused: len(key.Refused) > 0}
		if most > 0 && (one.Limit == 0 && len(key.Refused) == 0 || most < one.Limit) {
			one.Limit = most
		}
		b.Limit += one.Limit
		b.Used += one.Used
		b.Keys = append(b.Keys, one)
	}
	if len(b.Keys) == 1 {
		b.Keys = nil
	}
	return b, true
}
