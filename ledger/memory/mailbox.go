package memory

import (
	"context"
	"slices"
	"time"

	"owlatsync/ledger"
)

// mailbox implements ledger.Mailbox.
type mailbox struct{ *opening }

// TakeIn implements ledger.Mailbox.
func (m mailbox) TakeIn(ctx context.Context, news ledger.News) (took ledger.Receipt, err error) {
	err = m.use(ctx, "take feedback into ledger", func(s *store) error {
		if err := news.Check(); err != nil {
			return err
		}
		if _, erased := s.heard.erased[news.Feedback.Hash]; erased {
			return nil
		}
		for _, f := range s.heard.feedback {
			if f.Hash == news.Feedback.Hash {
				took.ID = f.ID
				return nil
			}
		}
		left, fresh := news.Sift(s.leftBy(news.OptOuts))
		if left == nil {
			return nil
		}
		took, took.ID = fresh, s.heard.take(left)
		for _, o := range left.OptOuts {
			s.leave(o)
		}
		return nil
	})
	return took, err
}

// leftBy returns the opt-outs that are known of the same contacts and topics.
func (s *store) leftBy(optOuts []ledger.OptOut) (known []ledger.OptOut) {
	for _, o := range optOuts {
		if k, there := s.optOuts[optOutPlace{o.ContactID, o.Topic}]; there {
			known = append(known, k)
		}
	}
	return known
}

// Feedbacks implements ledger.Mailbox.
func (m mailbox) Feedbacks(ctx context.Context, event, person string, before int64, limit int) (found []ledger.Feedback, err error) {
	err = m.use(ctx, "read feedback of the ledger", func(s *store) error {
		for _, f := range slices.Backward(s.heard.feedback) {
			if (event == "" || f.Event == event) && (person == "" || f.Email == person || f.ContactID == person) &&
				(before == 0 || f.ID < before) && (limit < 1 || len(found) < limit) {
				found = append(found, copyOfFeedback(f))
			}
		}
		return nil
	})
	return found, err
}

// LastFeedback implements ledger.Mailbox.
func (m mailbox) LastFeedback(ctx context.Context) (at time.Time, err error) {
	err = m.use(ctx, "read feedback of the ledger", func(s *store) error { at = s.heard.latest; return nil })
	return at, err
}

// Suppress implements ledger.Mailbox.
func (m mailbox) Suppress(ctx context.Context, suppressions ...ledger.Suppression) error {
	return m.use(ctx, "record suppressions in ledger", func(s *store) error {
		for _, sup := range suppressions {
			if err := sup.Check(); err != nil {
				return err
			}
		}
		for _, sup := range suppressions {
			s.heard.suppress(sup)
		}
		return nil
	})
}

// Lift implements ledger.Mailbox.
func (m mailbox) Lift(ctx context.Context, address string) (was bool, err error) {
	err = m.use(ctx, "lift a suppression of the ledger", func(s *store) error {
		for _, name := range s.suppressedAs(address) {
			_, there := s.heard.suppressions[name]
			was = was || there
			delete(s.heard.suppressions, name)
		}
		for _, state := range s.syncs {
			for _, e := range state.sorted() {
				if was && e.Email == address {
					s.note(state, ledger.HistoryLine{Key: e.Key, At: moment(m.Now()), Event: ledger.EventLifted})
				}
			}
		}
		return nil
	})
	return was, err
}

// suppressedAs returns the names under which the suppression of an address may be kept.
func (s *store) suppressedAs(address string) []string {
	if s.secret == nil {
		return []string{address}
	}
	return []string{address, ledger.HashSuppressed(s.secret, address)}
}

// AllSuppressions implements ledger.Mailbox.
func (m mailbox) AllSuppressions(ctx context.Context, limit int) (found []ledger.Suppression, err error) {
	err = m.use(ctx, "read suppressions of the ledger", func(s *store) error {
		if found = s.heard.all(); limit > 0 && len(found) > limit {
			found = found[:limit]
		}
		return nil
	})
	return found, err
}

// Suppressions implements ledger.Heard.
func (m reader) Suppressions(ctx context.Context, addresses []string) (map[string]ledger.Suppression, error) {
	found := make(map[string]ledger.Suppression)
	err := m.use(ctx, "read suppressions of the ledger", func(s *store) error {
		for _, address := range addresses {
			for _, name := range s.suppressedAs(address) {
				suppression, there := s.heard.suppressions[name]
				if suppression.Email = address; there {
					found[address] = suppression.With(found[address])
				}
			}
		}
		return nil
	})
	return found, err
}

// Known implements ledger.Heard.
func (m reader) Known(ctx context.Context, addresses []string) (map[string]string, error) {
	found := make(map[string]string)
	err := m.use(ctx, "read contacts of the ledger", func(s *store) error {
		for _, address := range addresses {
			if known, there := s.heard.known[address]; there {
				found[address] = known.contact
			}
		}
		return nil
	})
	return found, err
}

// outbox implements ledger.Outbox.
type outbox struct{ *opening }

// DueDeliveries implements ledger.Outbox.
func (m outbox) DueDeliveries(ctx context.Context, target string, now time.Time, limit int) (found []ledger.Delivery, err error) {
	err = m.use(ctx, "read deliveries of the ledger", func(s *store) error {
		for _, d := range s.heard.foremost(target) {
			if !d.Due.After(now) && len(found) < limit {
				found = append(found, s.heard.whole(d))
			}
		}
		return nil
	})
	return found, err
}

// NextDelivery implements ledger.Outbox.
func (m outbox) NextDelivery(ctx context.Context, target string) (next time.Time, err error) {
	err = m.use(ctx, "read deliveries of the ledger", func(s *store) error {
		for _, d := range s.heard.foremost(target) {
			if next.IsZero() || d.Due.Before(next) {
				next = d.Due
			}
		}
		return nil
	})
	return next, err
}

// note changes the delivery with the number, if there is one.
func (m outbox) note(ctx context.Context, id int64, change func(*store, *ledger.Delivery)) error {
	return m.each(ctx, []int64{id}, change)
}

// each changes those deliveries with the numbers that there are.
func (m outbox) each(ctx context.Context, ids []int64, change func(*store, *ledger.Delivery)) error {
	return m.use(ctx, "note a delivery in ledger", func(s *store) error {
		for _, d := range s.heard.deliveries {
			if slices.Contains(ids, d.ID) {
				change(s, d)
			}
		}
		return nil
	})
}

// Delivered implements ledger.Outbox.
func (m outbox) Delivered(ctx context.Context, id int64, at, unwritten time.Time) error {
	return m.note(ctx, id, func(s *store, d *ledger.Delivery) {
		if d.State != ledger.DeliveryDone {
			d.State, d.Done, d.Error = ledger.DeliveryDone, moment(at), ""
			d.Attempts++
		}
		s.write(d, func(o *ledger.OptOut) {
			if !unwritten.IsZero() && o.Written.Equal(moment(unwritten)) {
				o.Written = time.Time{}
			}
		})
	})
}

// write changes the opt-outs that a delivery is about.
func (s *store) write(d *ledger.Delivery, change func(*ledger.OptOut)) {
	f := s.heard.told(d.Feedback.ID)
	topics := []string{d.Topic}
	if d.Topic == "" {
		topics = nil
		for _, t := range f.Topics {
			topics = append(topics, t.ID)
		}
	}
	for _, topic := range topics {
		place := optOutPlace{f.ContactID, topic}
		if o, left := s.optOuts[place]; left {
			change(&o)
			s.optOuts[place] = o
		}
	}
}

// Writes implements ledger.Outbox.
func (m outbox) Writes(ctx context.Context, ids []int64, at time.Time) error {
	return m.each(ctx, ids, func(s *store, d *ledger.Delivery) {
		s.write(d, func(o *ledger.OptOut) {
			if o.Written.Before(moment(at)) {
				o.Written = moment(at)
			}
		})
	})
}

// Undelivered implements ledger.Outbox.
func (m outbox) Undelivered(ctx context.Context, id int64, reason string, refused bool, next time.Time) error {
	return m.note(ctx, id, func(_ *store, d *ledger.Delivery) {
		switch {
		case d.State != ledger.DeliveryWaiting:
			return
		case next.IsZero():
			d.State = ledger.DeliveryDead
		default:
			d.Due = moment(next)
		}
		d.Error = reason
		d.Attempts++
		if refused {
			d.Refused++
		}
	})
}

// RetryDeliveries implements ledger.Outbox.
func (m outbox) RetryDeliveries(ctx context.Context, ids []int64, now time.Time) (n int, err error) {
	err = m.use(ctx, "let dead deliveries of the ledger be tried", func(s *store) error {
		for _, d := range s.heard.deliveries {
			if d.State == ledger.DeliveryDead && (len(ids) == 0 || slices.Contains(ids, d.ID)) {
				d.State, d.Attempts, d.Refused, d.Due = ledger.DeliveryWaiting, 0, 0, moment(now)
				n++
			}
		}
		return nil
	})
	return n, err
}

// Deliveries implements ledger.Outbox.
func (m outbox) Deliveries(ctx context.Context, state ledger.DeliveryState, limit int) (found []ledger.Delivery, err error) {
	err = m.use(ctx, "read deliveries of the ledger", func(s *store) error {
		for _, d := range slices.Backward(s.heard.deliveries) {
			if (state == "" || d.State == state) && (limit < 1 || len(found) < limit) {
				found = append(found, s.heard.whole(d))
			}
		}
		return nil
	})
	return found, err
}

// DeliveryCounts implements ledger.Outbox.
func (m outbox) DeliveryCounts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error) {
	counts := make(map[string]map[ledger.DeliveryState]int)
	err := m.use(ctx, "read deliveries of the ledger", func(s *store) error {
		for _, d := range s.heard.deliveries {
			if counts[d.Target] == nil {
				counts[d.Target] = make(map[ledger.DeliveryState]int)
			}
			counts[d.Target][d.State]++
		}
		return nil
	})
	return counts, err
}
