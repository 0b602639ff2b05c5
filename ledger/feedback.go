package ledger

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Feedback is one thing that Owlat told by a webhook, or that was found by reading. It names a person and is erased with the person.
type Feedback struct {
	ID        int64
	Hash      [HashSize]byte // of the delivery's content: a repetition has the same
	Event     string         // as Owlat names it
	ContactID string         // empty if the event names none
	Email     string         // normalised; empty if the event names none
	At        time.Time      // when it happened, by Owlat's clock
	Received  time.Time
	Topics    []FeedbackTopic // that the person left
	Kind      string          // more about the event: hard or soft of a bounce, the source of a contact, KindRead of an opt-out that was read
	Detail    string          // for people: a mail server's words; may hold an address
}

// KindRead is the kind of an opt-out that no webhook told of: it was found by reading memberships.
const KindRead = "read"

// FeedbackTopic is a topic that a person left.
type FeedbackTopic struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// SuppressionReason says why no mail may go to an address.
type SuppressionReason string

const (
	Bounced    SuppressionReason = "bounced"    // a mail came back for good
	Complained SuppressionReason = "complained" // the person marked a mail as spam
	NeverMail  SuppressionReason = "never mail" // a row of the source says so
	Listed     SuppressionReason = "listed"     // somebody handed in a list
)

// Asked reports whether the user's own word suppresses, and not what Owlat told.
func (r SuppressionReason) Asked() bool { return r == NeverMail || r == Listed }

// Suppression says that an address, or a contact whatever its address, gets nothing from us but what keeps the contact equal: no topic
// and no event, whatever its row says.
type Suppression struct {
	Email  string // normalised; or the id of a contact
	Reason SuppressionReason
	At     time.Time
	// Sent is a time on Owlat's clock, not after an opt-out of the contact from everything was last sent; zero: none was.
	Sent time.Time
	// Told is when Owlat answered that the contact is opted out of everything, on the same clock; zero: it never did.
	Told time.Time
}

// DeliveryState is what became of a delivery.
type DeliveryState string

// What becomes of deliveries.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliveryDone    DeliveryState = "done"
	DeliveryDead    DeliveryState = "dead" // given up until RetryDeliveries
)

// Delivery is what is to be told to the user's own systems about one feedback.
type Delivery struct {
	ID       int64
	Feedback Feedback // TakeIn ignores it: it is the one that is taken in
	Target   string   // the name of the write-back
	Person   string   // deliveries to one target about one person keep their order
	Topic    string   // the topic it is about; empty: none, or all of them
	State    DeliveryState
	Attempts int       // since it was new, or was to be tried again
	Refused  int       // of them, those that the target refused; the others found it down
	Due      time.Time // when it is tried next; it may be in the past; zero: at once
	Done     time.Time
	Error    string // of the latest attempt; holds no address and no secret
}

// News is everything that follows from one webhook, or from one reading.
type News struct {
	Feedback     Feedback
	OptOuts      []OptOut
	Suppressions []Suppression
	// Known ties normalised addresses to the contacts that Owlat made for them, as of the feedback's At.
	Known map[string]string
	// Deliveries are new: their ID, State, Attempts, Refused, Done and Error are ignored.
	Deliveries []Delivery
}

// Receipt says what became of news.
type Receipt struct {
	ID  int64 // of the feedback
	New bool  // false: it changed nothing
	// Left counts the topics that a person left and of which nothing told before, Deliveries what write-backs are told. Both are 0 if it is not New.
	Left, Deliveries int
}

// Mailbox takes in what Owlat tells by webhooks. It needs no lock and may be used while a run goes on.
type Mailbox interface {
	Clock

	// TakeIn durably records news, all or nothing, before it returns. If a feedback with the same hash is there, it changes nothing
	// and the receipt is not new; likewise if one was there and its person was forgotten, with 0 for the number. Concurrent calls may share one commit. Of several suppressions of one address a complaint counts more
	// than a bounce, then the latest. Of several contacts of one address the latest counts. Of a departure that the ledger knows already,
	// by a webhook or by reading, what counts it again is left out (see News.Sift); if nothing is left then, the receipt is not new and its number is 0.
	// Incomplete news are an error (see News.Check).
	TakeIn(ctx context.Context, news News) (Receipt, error)
	// Feedbacks returns the latest feedback, newest first; an empty event or person (an address or a contact's id) means all, a
	// limit below 1 no limit. Before is a number below which to go on; 0: from the newest.
	Feedbacks(ctx context.Context, event, person string, before int64, limit int) ([]Feedback, error)
	// LastFeedback returns when the latest webhook came, zero if none ever did. What was found by reading does not count.
	LastFeedback(ctx context.Context) (time.Time, error)
	// Suppress durably records suppressions, all or none. Of several of one address, or of one contact, that counts which outweighs the
	// others, with the latest Sent and the latest Told of all.
	Suppress(ctx context.Context, suppressions ...Suppression) error
	// Lift durably ends the suppression of a normalised address or of a contact, and reports whether there was one. Of an address it adds a line with
	// EventLifted to the history of the rows that have it.
	Lift(ctx context.Context, address string) (was bool, err error)
	// AllSuppressions returns the suppressions of addresses, newest first, without those of forgotten persons; a limit below 1 means all.
	AllSuppressions(ctx context.Context, limit int) ([]Suppression, error)
}

// Heard is what planning needs to know of what Owlat told.
type Heard interface {
	// Suppressions returns the suppressions of the normalised addresses and of the contacts with these ids, by address or id. Its cost is
	// next to nothing while there is none.
	Suppressions(ctx context.Context, names []string) (map[string]Suppression, error)
	// Known returns the contacts that Owlat told of for the normalised addresses, by address.
	Known(ctx context.Context, addresses []string) (map[string]string, error)
}

// Outbox has the deliveries of write-backs. It needs no lock.
type Outbox interface {
	Clock

	// DueDeliveries returns at most limit waiting deliveries to the target that are due, oldest first: of each person only the
	// oldest that waits.
	DueDeliveries(ctx context.Context, target string, now time.Time, limit int) ([]Delivery, error)
	// NextDelivery returns when the next delivery to the target is due, zero if none waits.
	NextDelivery(ctx context.Context, target string) (time.Time, error)
	// Writes durably records that statements are about to write what the deliveries tell into a source: it sets OptOut.Written of
	// their contacts and topics, of all the feedback's topics where a delivery names none. It comes before the statements, because a
	// run may read what they write before anything else is recorded. It leaves out numbers without a delivery.
	Writes(ctx context.Context, ids []int64, at time.Time) error
	// Delivered durably records that a delivery was done. Unwritten is the time of the Writes before a statement that found nothing to
	// write, and takes that back; zero: it wrote, or is no statement. It is no error if the delivery was done before, or if there is none.
	Delivered(ctx context.Context, id int64, at, unwritten time.Time) error
	// Undelivered durably records a failed attempt, whether the target refused the delivery, and when the next attempt is due; zero:
	// never, the delivery is dead. A delivery that does not wait stays as it is.
	Undelivered(ctx context.Context, id int64, reason string, refused bool, next time.Time) error
	// RetryDeliveries durably makes dead deliveries wait again, due at now and with no attempts; no ids mean all dead ones. It returns
	// their number.
	RetryDeliveries(ctx context.Context, ids []int64, now time.Time) (int, error)
	// Deliveries returns the latest deliveries with the state, newest first; an empty state means all, a limit below 1 no limit.
	Deliveries(ctx context.Context, state DeliveryState, limit int) ([]Delivery, error)
	// DeliveryCounts counts the deliveries of each target by their state.
	DeliveryCounts(ctx context.Context) (map[string]map[DeliveryState]int, error)
}

// Check returns what is missing in the news, nil if they are complete: a feedback has an event and the time when it came, an opt-out
// a contact, a topic and a time, a suppression an address, a known reason and a time, a tie both its ends, and a delivery a target.
func (n *News) Check() error {
	if n.Feedback.Event == "" || n.Feedback.Received.IsZero() {
		return errors.New("a feedback names no event, or not when it came")
	}
	for i := range n.OptOuts {
		if err := n.OptOuts[i].Check(); err != nil {
			return err
		}
	}
	for i := range n.Suppressions {
		if err := n.Suppressions[i].Check(); err != nil {
			return err
		}
	}
	for address, contact := range n.Known {
		if address == "" || contact == "" {
			return errors.New("what is known ties an address to no contact, or a contact to no address")
		}
	}
	for i := range n.Deliveries {
		if n.Deliveries[i].Target == "" {
			return errors.New("a delivery names no target")
		}
	}
	return nil
}

// Check returns what is missing in the suppression, nil if it is complete.
func (s Suppression) Check() error {
	if s.Email == "" || s.Reason != Bounced && s.Reason != Complained && !s.Reason.Asked() || s.At.IsZero() {
		return errors.New("a suppression names no address, no known reason or no time")
	}
	return nil
}

// Outweighs reports whether the suppression counts more than another one of the same address: a complaint counts more than the user's
// own word, that more than a bounce, then the latest. Anything outweighs the zero value.
func (s Suppression) Outweighs(other Suppression) bool {
	if c := cmp.Compare(s.Reason.weight(), other.Reason.weight()); c != 0 {
		return c > 0
	}
	return s.At.After(other.At)
}

func (r SuppressionReason) weight() int {
	switch {
	case r == Complained:
		return 2
	case r.Asked():
		return 1
	}
	return 0
}

// With returns what two suppressions of the same address or contact come to: the one that outweighs the other, with the later times of
// what Owlat was told. Either may be the zero value.
func (s Suppression) With(other Suppression) Suppression {
	both := s
	if other.Outweighs(s) {
		both = other
	}
	for _, o := range []Suppression{s, other} {
		if o.Sent.After(both.Sent) {
			both.Sent = o.Sent
		}
		if o.Told.After(both.Told) {
			both.Told = o.Told
		}
	}
	return both
}
