package ledger

import "slices"

// Sift returns what is left of the news for a ledger that knows these opt-outs of their contacts, so that no departure is counted, or told to
// write-backs, twice; nil: nothing is left. The receipt has no number yet. It changes nothing it is given.
//
//   - An opt-out that was found by reading is left out where the ledger knows one at or after its Since.
//   - An opt-out of which Owlat told is kept, but not told to write-backs, where the ledger knows one that was found by reading, and the person left
//     between its Since and its At.
//
// A delivery that names no topic is left out where nothing is to be told of any of the opt-outs.
func (n *News) Sift(known []OptOut) (*News, Receipt) {
	whole := Receipt{New: true, Left: len(n.OptOuts), Deliveries: len(n.Deliveries)}
	if len(n.OptOuts) == 0 || len(known) == 0 {
		return n, whole
	}
	counted, told := make(map[string]bool), make(map[string]bool) // topics: is left out, is not told again
	for _, o := range n.OptOuts {
		i := slices.IndexFunc(known, func(k OptOut) bool { return k.ContactID == o.ContactID && k.Topic == o.Topic })
		if i < 0 {
			continue
		}
		switch k := known[i]; {
		case !o.Since.IsZero() && !k.At.Before(o.Since):
			counted[o.Topic], told[o.Topic] = true, true
		case o.Since.IsZero() && !k.Since.IsZero() && o.At.After(k.Since) && !o.At.After(k.At):
			told[o.Topic] = true
		}
	}
	if len(told) == 0 {
		return n, whole
	}
	left := *n
	left.OptOuts = slices.DeleteFunc(slices.Clone(n.OptOuts), func(o OptOut) bool { return counted[o.Topic] })
	left.Feedback.Topics = slices.DeleteFunc(slices.Clone(n.Feedback.Topics), func(t FeedbackTopic) bool { return counted[t.ID] })
	if len(left.OptOuts) == 0 && len(n.Suppressions) == 0 && len(n.Known) == 0 {
		return nil, Receipt{}
	}
	all := !slices.ContainsFunc(n.OptOuts, func(o OptOut) bool { return !told[o.Topic] })
	left.Deliveries = slices.DeleteFunc(slices.Clone(n.Deliveries), func(d Delivery) bool { return told[d.Topic] || d.Topic == "" && all })
	again := 0
	for _, o := range left.OptOuts {
		if told[o.Topic] {
			again++
		}
	}
	return &left, Receipt{New: true, Left: len(left.OptOuts) - again, Deliveries: len(left.Deliveries)}
}
