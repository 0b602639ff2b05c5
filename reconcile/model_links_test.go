package reconcile_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// links is what the runs of a history have of the unsubscribe secret.
type links string

const (
	withoutLinks links = "without the secret"
	withLinks    links = "with the secret"
	someLinks    links = "with the secret in some runs"
	badLinks     links = "with a secret that is refused in some runs"
)

// linksOf returns the mode of a history. It draws nothing of what the rest of the history draws.
func linksOf(seed uint64) links {
	return pick(rand.New(rand.NewPCG(seed, 3)), withoutLinks, withoutLinks, withLinks, withLinks, someLinks, badLinks)
}

// linking returns the options of the client of the next run, and lets the deployment take its secret or refuse it.
func (m *model) linking() []owlat.Option {
	m.linked = false
	if m.links == withoutLinks {
		return nil
	}
	r := rand.New(rand.NewPCG(m.h.seed, uint64(4+len(m.runs))))
	whim := r.IntN(3) == 0 && !(m.h.bars && m.ending)
	if m.links == someLinks && whim {
		return nil
	}
	secret := linkSecret
	if m.links == badLinks && whim {
		secret = "another secret"
		m.count("runs whose secret is refused")
	}
	m.linked = secret == linkSecret
	m.server.SetUnsubscribeSecret(linkSecret)
	return []owlat.Option{owlat.WithUnsubscribeSecret(secret), owlat.WithPreferencesRate(math.Inf(1))}
}

// linkRead is a reading of memberships that a run has sent.
type linkRead struct {
	contact string
	status  int
}

// readBy returns the contact whose memberships a request reads, "" if it reads none.
func readBy(method, path string) (contact string) {
	_, token, found := strings.Cut(path, "/prefs/verify/")
	if !found || method != http.MethodGet {
		return ""
	}
	contact, _, _ = strings.Cut(strings.ReplaceAll(token, "%3A", ":"), ":")
	return contact
}

// hasRead notes that memberships were read.
func (m *model) hasRead(contact string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ticks++
	m.reads = append(m.reads, look{contact, m.ticks})
	m.counts["memberships read"]++
}

// checkLinks: what a run has found by reading is so, and who had left when it read, before it put them on another topic, was found.
func (m *model) checkLinks(log *runLog) {
	m.checkFound(log)
	if log.reads && !log.fuse.blown {
		m.checkAllFound(log)
	}
	for _, o := range m.foundOptOuts() {
		known := slices.ContainsFunc(m.told, func(t optOut) bool { return t.contact == o.ContactID && t.topic == o.Topic && !t.left.Before(o.At) })
		if !known { // from now on the engine knows it
			m.ticks++
			m.told = append(m.told, optOut{contact: o.ContactID, address: m.addressOf(o.ContactID), topic: o.Topic, left: o.At, told: time.Now(), tick: m.ticks})
		}
	}
}

// foundOptOuts returns the opt-outs that the ledger has because somebody has read them.
func (m *model) foundOptOuts() []ledger.OptOut {
	contacts := make(map[string]bool)
	var ids []string
	for _, s := range m.syncs {
		for _, e := range m.entries(s) {
			if e.ContactID != "" && !contacts[e.ContactID] {
				contacts[e.ContactID] = true
				ids = append(ids, e.ContactID)
			}
		}
	}
	found, err := m.book.OptOuts(context.Background(), ids)
	m.must(err)
	return slices.DeleteFunc(found, func(o ledger.OptOut) bool { return o.Since.IsZero() })
}

// checkFound: whoever was found to have left a topic was off it then, and no run took them off.
func (m *model) checkFound(log *runLog) {
	const clock = 2 * time.Second // Owlat's clock is known to the second
	for _, o := range m.foundOptOuts() {
		m.count("departures found")
		on, ours := false, false
		for _, e := range m.history() {
			if e.ContactID != o.ContactID || e.Time.After(o.At.Add(clock)) || e.TopicID != o.Topic {
				continue
			}
			switch e.Action {
			case owlattest.Added:
				on, ours = true, false
			case owlattest.Unsubscribed, owlattest.TopicDeleted:
				on, ours = false, false
			case owlattest.Removed:
				on, ours = false, m.runOf(e) != nil
			}
		}
		if on || ours && m.lost == 0 {
			m.fail("the ledger says that contact %s has left topic %d between %s and %s, and it was on it: %v, taken off by a run: %v", o.ContactID,
				slices.Index(m.topics, o.Topic), o.Since.Format("02 15:04:05"), o.At.Format("02 15:04:05"), on, ours)
		}
	}
}

// checkAllFound: before a run put somebody on a topic it has read who had left, and the ledger has it.
func (m *model) checkAllFound(log *runLog) {
	known, err := m.book.OptOuts(context.Background(), m.contactsOf(log))
	m.must(err)
	for _, sent := range m.sent {
		if sent.at.Before(log.from) {
			continue
		}
		read := m.readBefore(sent)
		for _, d := range m.lefts {
			if d.contact != sent.contact || d.tick >= read || !d.at.Before(log.from) {
				continue
			}
			for _, e := range log.before {
				for _, x := range e.Memberships {
					if e.ContactID != d.contact || x.State != ledger.MemberAdded || !x.At.Before(d.at) || !slices.Contains(d.topics, x.Topic) {
						continue
					}
					if !slices.ContainsFunc(known, func(o ledger.OptOut) bool {
						return o.ContactID == d.contact && o.Topic == x.Topic && !o.At.Before(x.At)
					}) &&
						!m.backSince(d, x.Topic, read) {
						m.fail("contact %s had left topic %d when its memberships were read, before it was put on another one, and the ledger does not know", d.contact,
							slices.Index(m.topics, x.Topic))
					}
				}
			}
		}
	}
}

// readBefore returns when the memberships of the contact were last read before an add, 0 if never.
func (m *model) readBefore(sent sentAdd) (tick int) {
	for _, l := range m.reads {
		if l.contact == sent.contact && l.tick < sent.tick {
			tick = l.tick
		}
	}
	return tick
}

// readLeft returns when the contact had left the topic as far as the run has read it before the add, zero if it has not.
func (m *model) readLeft(log *runLog, added owlattest.Entry) (left time.Time) {
	if !log.reads {
		return left
	}
	var sent sentAdd
	for _, s := range m.sent {
		if s.contact == added.ContactID && s.topic == added.TopicID && !s.at.After(added.Time) && !s.at.Before(log.from) {
			sent = s
		}
	}
	read := m.readBefore(sent)
	for _, d := range m.lefts {
		if d.contact != added.ContactID || d.tick >= read || !slices.Contains(d.topics, added.TopicID) || !d.at.After(left) {
			continue
		}
		if slices.ContainsFunc(log.before, func(e *ledger.Entry) bool {
			x := e.Membership(added.TopicID)
			return e.ContactID == d.contact && x != nil && x.State == ledger.MemberAdded && x.At.Before(d.at)
		}) {
			left = d.at
		}
	}
	return left
}

func (m *model) contactsOf(log *runLog) (ids []string) {
	for _, e := range log.before {
		if e.ContactID != "" {
			ids = append(ids, e.ContactID)
		}
	}
	return ids
}

// backSince reports whether somebody put the contact on the topic again after the departure.
func (m *model) backSince(d departure, topic string, read int) bool {
	return slices.ContainsFunc(m.history(), func(e owlattest.Entry) bool {
		return e.ContactID == d.contact && e.TopicID == topic && (e.Action == owlattest.Added || e.Action == owlattest.Removed) && !e.Time.Before(d.at)
	})
}

// foundOn counts the adds that a run knows to have worked because it has read that.
func (m *model) foundOn(log *runLog) (n int) {
	for _, e := range m.entries(log.sync) {
		lines, err := m.book.History(context.Background(), log.sync.Name, e.Key)
		m.must(err)
		for _, line := range lines {
			if line.Event == "topic found" && fmt.Sprint(line.Run) == log.report.Run {
				n++
			}
		}
	}
	return n
}

// leftEverything reports whether the engine has read that the person left, and holds back what no new yes asks for.
func (m *model) leftEverything(e *ledger.Entry, x *ledger.Membership) bool {
	return m.links != withoutLinks && x != nil && x.State == ledger.MemberOptedOut &&
		slices.ContainsFunc(m.told, func(o optOut) bool { return o.contact == e.ContactID })
}
