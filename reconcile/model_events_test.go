package reconcile_test

import (
	"fmt"
	"net/http"
	"strings"

	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// concerning adds up what concerns the contact or one that is known for it.
func (m *model) concerning(contact string, counts map[string]int) (sum int) {
	for other, n := range counts {
		if m.share(contact, other) {
			sum += n
		}
	}
	return sum
}

// checkEvents: each event reaches Owlat at most once per firing of its rule.
func (m *model) checkEvents(log *runLog) {
	type event struct{ name, address, contact string }
	sent := make(map[event]int) // possibly delivered
	updates, foreign, broken := make(map[string]int), make(map[string]int), 0
	for _, past := range m.runs {
		if past.sync == log.sync && past.fuse.blown {
			broken++
		}
		for _, r := range past.requests() {
			switch {
			case past.sync != log.sync:
				if r.unknown() && r.Route == owlattest.RouteContact && r.Method == http.MethodPut {
					foreign[r.contact]++
				}
			case !r.unknown(), strings.HasSuffix(jsonField(r.Body, "eventName"), suffixWhen), strings.HasSuffix(jsonField(r.Body, "eventName"), suffixChanges):
			case r.Route == owlattest.RouteEvents && strings.HasSuffix(jsonField(r.Body, "eventName"), string(ledger.OnAppears)):
				sent[event{name: jsonField(r.Body, "eventName"), address: jsonField(r.Body, "email")}]++
			case r.Route == owlattest.RouteEvents:
				sent[event{name: jsonField(r.Body, "eventName"), contact: r.contact}]++
			case r.Route == owlattest.RouteContact && r.Method == http.MethodPut:
				updates[r.contact]++
			}
		}
	}
	for e, n := range sent {
		due := 0
		switch {
		case strings.HasSuffix(e.name, string(ledger.OnCreated)):
			due = m.creations(log.sync, e.contact)
		case strings.HasSuffix(e.name, string(ledger.OnAppears)):
			due = m.appearances(log.sync, e.address)
			if made := m.createdAt(log.sync, e.address); n > due && made > 0 && m.excused(olderMet, m.lost > m.anew) {
				due += made // a contact that was deleted or merged meanwhile, and is made anew, is that of a new row to an older ledger
			}
		default:
			due = m.concerning(e.contact, updates)
			// An update that a run was about to send when it broke off counts as made where the contact is as it was to be: nobody
			// can tell that another sync made it so.
			if more := min(broken, m.concerning(e.contact, foreign)); n > due && m.excused(siblingPut, more > 0) {
				due += more
			}
		}
		if n > due {
			m.fail("the event %s was sent %d times for %s%s, and was due at most %d times", e.name, n, e.address, e.contact, due)
		}
	}
}

// addressesOf returns every address that the contact ever had.
func (m *model) addressesOf(contact string) map[string]bool {
	addresses := map[string]bool{contact: true} // an event to nobody has but an address
	for _, values := range m.written[contact] {
		address, _, _ := strings.Cut(values, " ")
		addresses[address] = true
	}
	return addresses
}

// share reports whether the contacts ever had an address in common, by which an event cannot tell them apart.
func (m *model) share(a, b string) bool {
	for address := range m.addressesOf(a) {
		if m.addressesOf(b)[address] {
			return true
		}
	}
	return false
}

// creations counts the contacts that the sync created and that ever shared an address with this one.
func (m *model) creations(s *modelSync, contact string) (n int) {
	for _, log := range m.runs {
		if log.sync != s {
			continue
		}
		for _, e := range log.did {
			if e.Action == owlattest.Created && m.share(e.ContactID, contact) {
				n++
			}
		}
	}
	return n
}

// createdAt counts the contacts that the sync created with the address.
func (m *model) createdAt(s *modelSync, address string) (n int) {
	for _, log := range m.runs {
		for _, e := range log.did {
			if log.sync == s && e.Action == owlattest.Created && e.Email == address {
				n++
			}
		}
	}
	return n
}

// appearances counts the rows that ever had the address, or whose contact had it and may keep it, and again after each loss of the ledger.
func (m *model) appearances(s *modelSync, address string) int {
	appeared := make(map[string]bool)
	for _, log := range m.runs {
		for i, row := range log.rows {
			keeps := !log.config.Overwrite.Email.Always() && m.addressesOf(log.after[keyOf(&log.config, row)])[address]
			if log.sync == s && (keeps || normal(row.Email.Value) == address) {
				appeared[fmt.Sprint(log.anew, log.people[i], keyOf(&log.config, row))] = true
			}
		}
	}
	return len(appeared)
}
