// Package faults decides which request something goes wrong with, and what. How a fault looks to a client is the business of
// package connection.
package faults

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"owlatsync/owlat/owlattest/internal/answer"
	"owlatsync/owlat/owlattest/internal/routes"
)

// Kind is what goes wrong; owlattest.FaultKind says how each looks.
type Kind string

// The kinds.
const (
	Latency       Kind = "latency"
	RateLimited   Kind = "rate_limited"
	StatusError   Kind = "status"
	ResetBefore   Kind = "reset_before"
	ResetAfter    Kind = "reset_after"
	TruncatedBody Kind = "truncated_body"
	EndlessBody   Kind = "endless_body"
	SlowBody      Kind = "slow_body"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Latency, RateLimited, StatusError, ResetBefore, ResetAfter, TruncatedBody, EndlessBody, SlowBody}
}

// Fault is something to go wrong; owlattest.Fault says what its fields mean.
type Fault struct {
	Kind          Kind
	Method, Route string
	At, Count     int
	Rate          float64
	Status        int
	HTML, After   bool
	Delay, Jitter time.Duration
}

// check fills in what is left out and refuses what makes no sense.
func (f Fault) check() (Fault, error) {
	if !slices.Contains(Kinds(), f.Kind) {
		return f, fmt.Errorf("unknown kind of fault %q; known are %q", f.Kind, Kinds())
	}
	if f.At < 0 || f.Count < 0 || f.Delay < 0 || f.Jitter < 0 {
		return f, errors.New("at, count, delay and jitter must not be negative")
	}
	if !(f.Rate >= 0 && f.Rate <= 1) {
		return f, errors.New("the rate must lie between 0 and 1")
	}
	if f.Route != "" && !slices.Contains(routes.Names(), f.Route) {
		return f, fmt.Errorf("unknown route %q; known are %q", f.Route, routes.Names())
	}
	switch {
	case f.Kind != StatusError && (f.Status != 0 || f.HTML):
		return f, errors.New("status and html belong to the kind status")
	case f.Kind != StatusError && f.Kind != Latency && f.After:
		return f, errors.New("after belongs to the kinds status and latency")
	case f.Kind != Latency && f.Jitter != 0:
		return f, errors.New("jitter belongs to the kind latency")
	case f.Status != 0 && (f.Status < 500 || f.Status > 599):
		return f, errors.New("the status must lie between 500 and 599")
	}
	if f.Kind == StatusError && f.Status == 0 {
		f.Status = http.StatusServiceUnavailable
	}
	if f.At > 0 && f.Count == 0 {
		f.Count = 1
	}
	if f.Delay == 0 && f.Jitter == 0 {
		f.Delay = map[Kind]time.Duration{Latency: time.Second, SlowBody: 500 * time.Millisecond, EndlessBody: time.Millisecond}[f.Kind]
	}
	return f, nil
}

// State is a fault in force and what it did so far.
type State struct {
	Fault
	Seen, Hits int // matching requests, and those it hit
}

// Table holds the faults in force. The zero Table has none.
type Table struct{ list []*State }

// Inject adds faults, all of them or, if one makes no sense, none.
func (t *Table) Inject(faults []Fault) error {
	add := make([]*State, len(faults))
	for i, f := range faults {
		f, err := f.check()
		if err != nil {
			return fmt.Errorf("inject fault %d: %w", i+1, err)
		}
		add[i] = &State{Fault: f}
	}
	t.list = append(t.list, add...)
	return nil
}

// Clear ends all faults.
func (t *Table) Clear() { t.list = nil }

// List returns the faults in force in the order of their injection.
func (t *Table) List() []State {
	out := make([]State, len(t.list))
	for i, f := range t.list {
		out[i] = *f
	}
	return out
}

// Mishap is what hits one request.
type Mishap struct {
	Fault                        // of kind "" for none
	Before, Behind time.Duration // latency before the effect and before the answer
	Hits           int           // how many faults hit it
}

// Pick counts the request against every fault and returns what hits it. Chance is drawn from draw.
func (t *Table) Pick(draw func() uint64, method, route string) Mishap {
	var m Mishap
	for _, f := range t.list {
		if f.Method != "" && f.Method != method || f.Route != "" && f.Route != route {
			continue
		}
		f.Seen++
		if f.Seen < f.At || f.Count > 0 && f.Hits >= f.Count || f.Rate > 0 && float64(draw()>>11)/(1<<53) >= f.Rate {
			continue
		}
		switch {
		case f.Kind == Latency:
			pause := f.Delay
			if f.Jitter > 0 {
				pause += time.Duration(draw() % uint64(f.Jitter))
			}
			if f.After {
				m.Behind += pause
			} else {
				m.Before += pause
			}
		case m.Kind == "":
			m.Fault = f.Fault
		default:
			continue // an earlier fault has the request
		}
		f.Hits++
		m.Hits++
	}
	return m
}

// Gateway returns the answer that a gateway gives in place of Owlat's, or nil; later is true once the request took effect.
func (m Mishap) Gateway(later bool) *answer.Answer {
	if m.Kind != StatusError || m.After != later {
		return nil
	}
	if !m.HTML {
		return &answer.Answer{Status: m.Status}
	}
	title := strconv.Itoa(m.Status) + " " + http.StatusText(m.Status)
	a := &answer.Answer{Status: m.Status, Body: []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" +
		title + "</h1></center>\r\n</body>\r\n</html>\r\n")}
	a.Set("Content-Type", "text/html")
	return a
}
