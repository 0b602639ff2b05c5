// Package feedback takes in what Owlat tells by webhooks: a delivery is verified, what follows from it is put into the ledger in one
// piece, and only then is Owlat answered. It also judges whether Owlat is silent although it should tell something.
//
// The one idea to know: a delivery that was not recorded is answered with a failure, so that Owlat sends it again, and one that comes
// twice is known by its content and changes nothing.
package feedback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/bar"
)

// Mailbox is what a Receiver needs of the ledger.
type Mailbox interface {
	ledger.Clock
	TakeIn(ctx context.Context, news ledger.News) (ledger.Receipt, error)
	Suppressions(ctx context.Context, names []string) (map[string]ledger.Suppression, error)
}

// Taken tells what became of a verified delivery.
type Taken struct {
	Feedback   ledger.Feedback // with its number
	New        bool            // false: it came before
	Ignored    bool            // nothing follows from events of this name; Feedback has the Event alone
	Left       int             // topics that the person left, and of which nothing has told before
	Deliveries int             // that are to be written back
	Err        error           // why it was not recorded; Owlat sends it again
}

// Options say how a Receiver takes in webhooks.
type Options struct {
	Secrets []string      // any of them may have signed
	MaxAge  time.Duration // how far a delivery's time may be from the ledger's; 0: it is not checked
	Routes  []Route
	Logger  *slog.Logger // nil: it is silent
	// Told is called after each verified delivery, from several goroutines, before Owlat is answered. It must not block; it may be
	// nil.
	Told func(Taken)
}

// Receiver is the handler of Owlat's webhooks. Only the signature says who may deliver. Its answers have no body: 204 for what is
// recorded, was recorded before, or has an event that nothing follows from; 401 for a wrong signature or time; 400, 405 and 413 for what is no
// delivery; 500 if the ledger cannot record it, and 503 if so much of large bodies is in memory that there is no room for another within seconds. A body
// that comes too slowly ends with its connection.
type Receiver struct {
	box     Mailbox
	opts    Options
	handler http.Handler
	large   *semaphore.Weighted
}

// NewReceiver returns a receiver. It fails without a secret, and for an empty one.
func NewReceiver(box Mailbox, o Options) (*Receiver, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Told == nil {
		o.Told = func(Taken) {}
	}
	r := &Receiver{box: box, opts: o, large: semaphore.NewWeighted(largeBodies)}
	var err error
	r.handler, err = owlat.WebhookHandler(o.Secrets, r.take, owlat.WithWebhookTolerance(o.MaxAge), owlat.WithWebhookClock(box.Now), owlat.WithWebhookLogger(o.Logger))
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ServeHTTP takes in one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Body == nil {
		r.handler.ServeHTTP(w, req)
		return
	}
	body := &intake{ReadCloser: req.Body, ctx: req.Context(), room: r.large, conn: http.NewResponseController(w), began: time.Now(), patience: patience()}
	defer body.release()
	req = req.WithContext(req.Context()) // a copy, whose body may be another
	req.Body = body
	r.handler.ServeHTTP(answer{w, body}, req)
}

// take records what follows from a verified event. What Owlat has sent is recorded even if it no longer waits for the answer.
func (r *Receiver) take(ctx context.Context, e *owlat.WebhookEvent) error {
	news, ok := newsOf(e, r.opts.Routes, r.box.Now())
	if !ok {
		r.opts.Told(Taken{Feedback: ledger.Feedback{Event: e.Event}, Ignored: true})
		return nil
	}
	echo, err := r.mute(ctx, &news)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotRecorded, err)
	}
	took, err := r.box.TakeIn(context.WithoutCancel(ctx), news)
	if echo {
		took.Left = 0
	}
	r.opts.Told(takenOf(news, took, err))
	if err != nil {
		return fmt.Errorf("%w: %w", errNotRecorded, err)
	}
	return nil
}

// takenOf tells what became of news.
func takenOf(news ledger.News, took ledger.Receipt, err error) Taken {
	news.Feedback.ID = took.ID
	return Taken{Feedback: news.Feedback, New: took.New, Left: took.Left, Deliveries: took.Deliveries, Err: err}
}

// mute drops the deliveries of what is the echo of an opt-out that the program sent, and reports whether it is one: nobody is told that the person left.
func (r *Receiver) mute(ctx context.Context, news *ledger.News) (echo bool, err error) {
	contact := news.Feedback.ContactID
	if len(news.OptOuts) == 0 || contact == "" {
		return false, nil
	}
	found, err := r.box.Suppressions(ctx, []string{contact})
	if err != nil {
		return false, err
	}
	if echo = bar.IsEcho(&news.Feedback, found[contact]); echo {
		news.Deliveries = nil
	}
	return echo, nil
}

// errNotRecorded says what a failure means.
var errNotRecorded = errors.New("the webhook could not be recorded, Owlat sends it again in a minute and five minutes later")
