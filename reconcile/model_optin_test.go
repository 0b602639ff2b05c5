package reconcile_test

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

// addAnswer is an answer to an add that a run has read to its end.
type addAnswer struct {
	contact, topic string
	was, is        string // the contact's double opt-in before and after
	optedOut       bool   // of everything, before
}

// asked returns the add that is about to be sent, with what Owlat knows of the contact.
func (m *model) asked(contact, topic string) addAnswer {
	c, _ := m.server.Contact(contact)
	return addAnswer{contact: contact, topic: topic, was: c.DOIStatus, optedOut: c.Unsubscribed}
}

// heardBody notes the answer once it has been read to its end.
type heardBody struct {
	io.ReadCloser
	read bytes.Buffer
	end  func(body []byte)
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Write(p[:n])
	if errors.Is(err, io.EOF) && b.end != nil {
		b.end(b.read.Bytes())
		b.end = nil
	}
	return n, err
}

// hearing notes what the answer to an add tells when the run has read it.
func (l *runLog) hearing(body io.ReadCloser, a addAnswer) io.ReadCloser {
	return &heardBody{ReadCloser: body, end: func(text []byte) {
		for _, status := range []string{owlat.DOIPending, owlat.DOIConfirmed, owlat.DOINotRequired} {
			if bytes.Contains(text, []byte(`"doiStatus":"`+status+`"`)) {
				a.is = status
				l.note(a)
			}
		}
	}}
}

// heard returns what answers to adds have told the run, in its present stretch.
func (l *runLog) heard() (all []addAnswer) {
	for _, what := range l.happened {
		if a, ok := what.(addAnswer); ok {
			all = append(all, a)
		}
	}
	return all
}

// checkCounts: the report counts the adds that Owlat has confirmed, and those of them for which it has asked people to confirm; those for
// whom it was waiting before may count too, for they may still have its mail.
func (m *model) checkCounts(log *runLog) {
	if log.report == nil || log.fuse.blown {
		return
	}
	var added, mailed, waiting int
	for l := log; l != nil; l = l.former {
		for _, a := range l.heard() {
			added++
			if a.is != owlat.DOIPending {
				continue
			}
			if waiting++; a.was == owlat.DOINotRequired {
				mailed++
			}
		}
	}
	added += m.foundOn(log)
	if got := log.report.Memberships; got.Added != added || got.Pending < mailed || got.Pending > waiting {
		m.fail("the report counts %d adds, %d of them pending; Owlat has confirmed %d, and waits for %d, of whom it has mailed %d", got.Added, got.Pending,
			added, waiting, mailed)
	}
}

// checkOptIn: whom Owlat has asked to confirm is waited for, until an answer says otherwise, and who consents again to what asks no second
// time is reported, and nobody else.
func (m *model) checkOptIn(log *runLog) {
	if log.fuse.blown {
		return
	}
	unconfirmed := make(map[string]bool) // contacts that were reported
	for _, what := range log.happened {
		d, ok := what.(progress.RowDone)
		if !ok || d.Category != ledger.CategoryUnconfirmed {
			continue
		}
		contact := log.after[d.Key]
		unconfirmed[contact] = true
		m.count("told as unconfirmed")
		if !slices.ContainsFunc(log.heard(), func(a addAnswer) bool { return a.contact == contact && a.was == owlat.DOIPending }) {
			m.fail("row %s is told as unconfirmed, and Owlat was not waiting for the person before", d.Key)
		}
	}
	entries := m.entries(log.sync)
	for i, a := range log.heard() {
		later := log.heard()[i+1:]
		if a.is != owlat.DOIPending || slices.ContainsFunc(later, func(b addAnswer) bool { return b.contact == a.contact && b.is != owlat.DOIPending }) {
			continue
		}
		for _, e := range entries {
			if x := e.Membership(a.topic); e.ContactID == a.contact && x != nil && a.was == owlat.DOINotRequired && x.Pending.IsZero() {
				m.fail("Owlat has asked the person of row %s to confirm topic %d, and the ledger does not say so", e.Key, slices.Index(m.topics, a.topic))
			}
		}
		if a.was != owlat.DOIPending || !a.optedOut || !m.askedBefore(log, a) {
			continue
		}
		if m.count("adds without a second mail"); !unconfirmed[a.contact] {
			m.fail("the person of contact %s is opted out of everything, consents to topic %d, gets no second mail, and it is not told", a.contact,
				slices.Index(m.topics, a.topic))
		}
	}
	for _, e := range entries {
		if last, ok := m.lastHeard(log, e.ContactID); ok && last.is != owlat.DOIPending && !e.Asked().IsZero() {
			m.fail("row %s is said to wait for a confirmation, and the last answer was %q", e.Key, last.is)
		}
	}
}

// askedBefore reports whether an earlier run has heard that its add to the topic made Owlat ask the person.
func (m *model) askedBefore(log *runLog, a addAnswer) bool {
	return slices.ContainsFunc(m.runs[m.bornRun:], func(run *runLog) bool {
		return run != log && run.sync == log.sync && !run.fuse.blown && slices.ContainsFunc(run.heard(), func(b addAnswer) bool {
			return b.contact == a.contact && b.topic == a.topic && b.was == owlat.DOINotRequired && b.is == owlat.DOIPending
		})
	})
}

// lastHeard returns the latest answer about the contact that a run of the sync has heard, false if none did, or if that was one that was
// broken off.
func (m *model) lastHeard(log *runLog, contact string) (last addAnswer, ok bool) {
	for _, run := range slices.Backward(m.remembered()) {
		if run.sync != log.sync {
			continue
		}
		for _, a := range slices.Backward(run.heard()) {
			if a.contact == contact {
				return a, !run.fuse.blown
			}
		}
	}
	return last, false
}
