package reconcile_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/owlat/owlattest"
)

// partOf is the part of the source that a run acts on: an approved one has that of the run that was held.
func (m *model) partOf(s *modelSync, o runOptions) owlatsync.Part {
	if o.Approve != 0 {
		return s.heldPart
	}
	return owlatsync.Part{Only: o.Only, Limit: o.Limit}
}

// randomPart asks for some keys, for a number of rows, or for both.
func (m *model) randomPart(s *modelSync, list []owlatsync.Row) (part owlatsync.Part) {
	which := m.r.IntN(3)
	for _, row := range list {
		if key := keyOf(&s.Sync, row); which > 0 && m.r.IntN(2) == 0 && key != "" {
			part.Only = append(part.Only, key)
		}
	}
	if which < 2 {
		part.Limit = 1 + m.r.IntN(4)
	}
	return part
}

// whom names the row that a write is about, by its key in the ledger, or else the contact or address.
func (m *model) whom(log *runLog, r request) string {
	contact, address := r.contact, ""
	if r.Method == http.MethodPost && (r.Route == owlattest.RouteContacts || r.Route == owlattest.RouteEvents) {
		address = jsonField(r.Body, "email")
	}
	if address == "" {
		address = m.addressOf(contact) // the run may not have come to record whose it is
	}
	for ; contact != ""; contact = m.heirs[contact] {
		for _, i := range log.rowsFor(contact, "") {
			return keyOf(&log.config, log.rows[i])
		}
	}
	for _, row := range log.rows {
		if address != "" && normal(row.Email.Value) == address {
			return keyOf(&log.config, row)
		}
	}
	return r.contact + address
}

// checkPart: a run that is asked for some rows writes about no others, and about no more of them than asked for, in all its stretches
// together. While consents that rows withdraw are left, it writes about no row that withdraws none.
func (m *model) checkPart(log *runLog, spec *runSpec) {
	if log.part.Whole() {
		return
	}
	touched, withdraws := make(map[string]bool), make(map[string]bool)
	for l := log; l != nil; l = l.former {
		for _, r := range l.requests() {
			if r.Method == http.MethodGet || !r.unknown() {
				continue
			}
			key := m.whom(l, r)
			touched[key] = true
			withdraws[key] = withdraws[key] || r.Method == http.MethodDelete && r.Route == owlattest.RouteTopicContact
			if len(log.part.Only) > 0 && !slices.Contains(log.part.Only, key) {
				m.fail("%s %s is about row %s, which was not asked for", r.Method, r.Path, key)
			}
		}
	}
	m.count(fmt.Sprintf("parts with only %v, limit %v", len(log.part.Only) > 0, log.part.Limit > 0))
	if n := log.part.Limit; n > 0 && len(touched) > n {
		m.fail("the run wrote about %d rows, and the limit was %d: %v", len(touched), n, touched)
	}
	if log.part.Limit == 0 || log.former != nil || log.err != nil || log.fuse.blown || len(spec.faults) > 0 {
		return
	}
	for i, row := range log.rows {
		key := keyOf(&log.config, row)
		contact := log.bound[key]
		if !log.read(log.people[i]) || touched[key] || contact == "" || len(log.part.Only) > 0 && !slices.Contains(log.part.Only, key) ||
			slices.ContainsFunc(log.rows[:i], func(r owlatsync.Row) bool { return keyOf(&log.config, r) == key }) {
			continue
		}
		for at, topic := range log.topics {
			if row.Consents[at] != owlatsync.No || !m.putThere(log, contact, m.topics[topic]) {
				continue
			}
			for other := range touched {
				if !withdraws[other] {
					m.fail("the run wrote about row %s, and row %s still waits to leave topic %d", other, key, topic)
				}
			}
		}
	}
}

// putThere reports whether the contact is on the topic because a run put it there that the ledger knows of, or may be.
func (m *model) putThere(log *runLog, contact, topic string) bool {
	c, ok := m.server.Contact(contact)
	if !ok || !slices.Contains(c.Topics, topic) {
		return false
	}
	for _, run := range slices.Backward(m.remembered()) {
		for _, r := range run.requests() {
			if run.sync == log.sync && r.Method == http.MethodPost && r.Route == owlattest.RouteTopicContacts && r.contact == contact &&
				strings.Contains(r.Path, topic) && r.status == http.StatusCreated {
				return run.fuse.kind == unbroken
			}
		}
	}
	return false
}
