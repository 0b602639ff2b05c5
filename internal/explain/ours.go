package explain

import (
	"context"
	"errors"
	"slices"
	"time"

	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/bar"
)

// near is how far two clocks may tell one moment apart.
const near = 10 * time.Minute

// Ours reports whether the program opted the person out of everything at a time of Owlat's clock: what ended then is no word of theirs.
func (t *Tale) Ours(at time.Time) bool {
	if t.Barred != nil && bar.IsEcho(&ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, At: at}, *t.Barred) {
		return true
	}
	for _, h := range t.History { // it stays when the suppression is lifted
		if h.Event == ledger.EventOptedOut && at.Sub(h.At).Abs() <= near {
			return true
		}
	}
	return false
}

// Echo reports whether a webhook tells of what the program did itself.
func (t *Tale) Echo(f *ledger.Feedback) bool {
	return f.Event == owlat.WebhookTopicUnsubscribed && t.Ours(f.At)
}

// NeverMail reports whether a membership ended because no mail may go to the person, and not because the row said no to the topic.
func (t *Tale) NeverMail(m *ledger.Membership) bool {
	if m.State != ledger.MemberOut {
		return false
	}
	return t.Ours(m.At) || t.Barred != nil && t.Barred.Reason.Asked() && m.At.After(t.Barred.At.Add(-time.Minute))
}

// Left returns when a run first found that the row has left the source, zero if that is not known.
func (t *Tale) Left() (at time.Time) {
	if !t.noticed.IsZero() {
		return t.noticed
	}
	for _, h := range t.History {
		if h.Event == ledger.EventRowLeft {
			at = h.At
		}
	}
	return at
}

// LeftAt returns when the person of a membership came off its topic, as far as opt-outs tell, or else when the membership was recorded.
func (t *Tale) LeftAt(m *ledger.Membership) time.Time {
	for _, o := range t.OptOuts {
		if o.Topic == m.Topic {
			return o.At
		}
	}
	return m.At
}

// LeftThemselves reports whether the person is known to have left the topic by their own word.
func (t *Tale) LeftThemselves(topic string) bool {
	return slices.ContainsFunc(t.OptOuts, func(o ledger.OptOut) bool { return o.Topic == topic && !t.Ours(o.At) })
}

// WasPut reports whether the history has a run that put the contact on the topic.
func WasPut(history []ledger.HistoryLine, topic string) bool {
	return slices.ContainsFunc(history, func(h ledger.HistoryLine) bool { return h.Event == "topic added" && h.Note == topic })
}

// TakenOff reports whether the history has a run that took the contact off the topic and found it on it no more since.
func TakenOff(history []ledger.HistoryLine, topic string) (off bool) {
	for _, h := range history {
		if h.Note == topic {
			switch h.Event {
			case "topic removed":
				off = true
			case "topic added", "topic found":
				off = false
			}
		}
	}
	return off
}

// Lifted returns what Owlat told of the address for which no mail would go to it, had nobody lifted that since; empty: nothing.
func (t *Tale) Lifted() (why ledger.SuppressionReason) {
	if t.Barred != nil || t.Entry == nil {
		return ""
	}
	for _, f := range t.Heard {
		if f.Email != "" && f.Email != t.Entry.Email {
			continue
		}
		switch {
		case f.Event == owlat.WebhookEmailComplained:
			why = ledger.Complained
		case f.Event == owlat.WebhookEmailBounced && f.Kind == "hard" && why == "":
			why = ledger.Bounced
		}
	}
	return why
}

// Stranger reports whether no mail may go to the person of the row, and a run found no contact of theirs, so that it made none.
func (t *Tale) Stranger() bool {
	e := t.Entry
	return e != nil && t.Sync.Suppressed.Column != "" && e.ContactID == "" && e.Origin == ledger.OriginNone && e.Departed == "" && e.Failure == nil && !e.Doubt && !e.Fingerprint.IsZero()
}

// LiftedAfter reports whether the suppression of the row's address was lifted after a time.
func (t *Tale) LiftedAfter(at time.Time) bool {
	return slices.ContainsFunc(t.History, func(h ledger.HistoryLine) bool { return h.Event == ledger.EventLifted && h.At.After(at) })
}

// notice finds out when the row's leaving was found by a run that was held, if another one acted on it only once it was approved.
func (t *Tale) notice(ctx context.Context, l Ledger) error {
	for _, h := range slices.Backward(t.History) {
		if h.Event != ledger.EventRowLeft || h.Run == 0 {
			continue
		}
		run, err := l.Run(ctx, h.Run)
		for err == nil && run.Approves != 0 {
			if run, err = l.Run(ctx, run.Approves); err == nil {
				t.noticed = run.Started
			}
		}
		if _, gone := errors.AsType[*ledger.NoRunError](err); gone { // its record is kept for a while only
			return nil
		}
		return err
	}
	return nil
}

// OwlatTold says whether Owlat knows that the user lets no mail go to a person, or why not. The tales are those of the person's rows.
func OwlatTold(s ledger.Suppression, tales []*Tale, w ways.Ways) string {
	if !s.Told.IsZero() {
		return "Owlat was told, and has opted them out of everything."
	}
	for _, t := range tales {
		if t.Entry != nil && t.Entry.Failure != nil && t.Entry.Failure.Category == ledger.CategoryNeverMail {
			return "Owlat is not told yet: " + t.Entry.Failure.Reason + "."
		}
	}
	listed := s.Reason == ledger.Listed
	switch {
	case s.Sent.IsZero() && !slices.ContainsFunc(tales, func(t *Tale) bool { return t.Entry != nil && t.Entry.ContactID != "" }):
		return "Owlat was not told, because no contact of theirs is known here."
	case !w.Secret && listed:
		return "Owlat was not told, because the configuration has no unsubscribe secret: they were only taken off the topics that the syncs have."
	case !w.Secret:
		return "Owlat was not told, because the configuration has no unsubscribe secret: they are only taken off the topics of the sync."
	case !s.Sent.IsZero() && listed:
		return "The opt-out was sent to Owlat, and its answer is not known. Hand the list in once more."
	case !s.Sent.IsZero():
		return "The opt-out was sent to Owlat, and its answer is not known. The next run sends it again."
	case listed:
		return "Owlat was not told. Hand the list in once more."
	}
	return "Owlat is not told yet. The next run that reads all rows tells it."
}

// News is the part of a ledger that says whether anything ever told who has left.
type News interface {
	LastFeedback(ctx context.Context) (time.Time, error)
	Round(ctx context.Context) (ledger.Round, error)
}

// Proven returns the ways that have told something: webhooks of which one has come, and polling that has come to the end of a round.
func Proven(ctx context.Context, l News, w ways.Ways) (ways.Ways, error) {
	last, err := l.LastFeedback(ctx)
	if err != nil {
		return w, err
	}
	round, err := l.Round(ctx)
	w.Webhooks, w.Polling = w.Webhooks && !last.IsZero(), w.Polling && !round.Ended.IsZero()
	return w, err
}
