// Package webhooks measures how fast the receiver of Owlat's webhooks answers when all come at once, and whether everything that it
// has acknowledged is in the ledger.
package webhooks

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/feedback"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
)

const (
	connections = 1_000
	deliveries  = 10_000
	secret      = "whsec_0123456789"
	topic       = "t1234567890"
)

// The goals.
const (
	longest = 250 * time.Millisecond
	fewest  = 2_000.0 // a second
)

const intro = "%s signed webhooks `topic.unsubscribed`, each about another person, come over %s connections at once, each of which waits for an answer\n" +
	"before it sends its next one. The receiver is the one of `owlat-sync serve`, over loopback, with a write-back; it answers when the feedback, the\n" +
	"opt-out and the delivery are synced to the disk. Sender and receiver share the machine."

// result is what one measurement found.
type result struct {
	Acknowledged, Recorded int
	Took                   time.Duration
	Times                  []time.Duration // of each answer, ascending
}

func (r result) rate() float64 { return float64(r.Acknowledged) / r.Took.Seconds() }

func (r result) within(share float64) time.Duration {
	return r.Times[min(int(share*float64(len(r.Times))), len(r.Times)-1)]
}

// Measure is the part of the benchmarks.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	r, err := measure(ctx, connections, deliveries)
	if err != nil {
		return findings.Section{}, err
	}
	millis := func(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond)) }
	fmt.Fprintf(log, "%d acknowledged in %v\n", r.Acknowledged, r.Took)
	lost := r.Acknowledged - r.Recorded
	return findings.Section{
		Title: "Webhooks",
		Intro: fmt.Sprintf(intro, findings.Count(deliveries), findings.Count(connections)),
		Tables: []findings.Table{{
			Columns: []string{"webhooks", "acknowledged", "in the ledger", "a second", "half within", "99 % within", "slowest"},
			Rows: [][]string{{
				findings.Count(deliveries), findings.Count(r.Acknowledged), findings.Count(r.Recorded), findings.Count(int(r.rate())),
				millis(r.within(0.5)), millis(r.within(0.99)), millis(r.within(1)),
			}},
		}},
		Goals: []findings.Goal{
			{What: "Webhooks that were acknowledged and are not in the ledger", Want: "0", Got: findings.Count(lost), Missed: lost != 0 || r.Acknowledged != deliveries},
			{What: "Webhooks recorded a second", Want: "at least " + findings.Count(fewest), Got: findings.Count(int(r.rate())), Missed: r.rate() < fewest},
			{What: "99 % of the answers", Want: "within " + millis(longest), Got: millis(r.within(0.99)), Missed: r.within(0.99) > longest},
		},
	}, nil
}

// measure sends so many deliveries over so many connections.
func measure(ctx context.Context, connections, deliveries int) (r result, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, "ledger.db")
	if err := r.play(ctx, file, connections, deliveries); err != nil {
		return r, err
	}
	l, err := sqlite.Open(ctx, "sqlite", file)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	all, err := l.Feedbacks(ctx, owlat.WebhookTopicUnsubscribed, "", 0, 0)
	if err != nil {
		return r, err
	}
	waiting, err := l.DeliveryCounts(ctx)
	if err != nil {
		return r, err
	}
	for _, n := range waiting["unsub"] {
		r.Recorded += n
	}
	if r.Recorded != len(all) {
		return r, fmt.Errorf("the ledger has %d webhooks and %d deliveries", len(all), r.Recorded)
	}
	return r, nil
}

// play runs a receiver and senders.
func (r *result) play(ctx context.Context, file string, connections, deliveries int) (err error) {
	l, err := sqlite.Open(ctx, "sqlite", file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	receiver, err := feedback.NewReceiver(l, feedback.Options{
		Secrets: []string{secret}, MaxAge: owlat.DefaultWebhookTolerance, Routes: []feedback.Route{{Target: "unsub", On: []string{owlat.WebhookTopicUnsubscribed}}},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: receiver}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() {
		if closeErr := errors.Join(server.Close(), <-ended); !errors.Is(closeErr, http.ErrServerClosed) {
			err = errors.Join(err, closeErr)
		}
	}()
	senders := make([]sender, connections)
	for i := range senders {
		if senders[i].conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String()); err != nil {
			return err
		}
		defer senders[i].conn.Close()
	}
	began := time.Now()
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() { senders[i].send(i, deliveries/connections) })
	}
	all.Wait()
	r.Took = time.Since(began)
	for _, s := range senders {
		err = errors.Join(err, s.err)
		r.Times = append(r.Times, s.times...)
	}
	slices.Sort(r.Times)
	r.Acknowledged = len(r.Times)
	return err
}

// sender is one connection.
type sender struct {
	conn  net.Conn
	times []time.Duration // of acknowledged webhooks
	err   error
}

// send sends webhooks one after the other. They are written by hand, so that the sender takes little of the machine.
func (s *sender) send(number, count int) {
	answers := bufio.NewReader(s.conn)
	for i := range count {
		request := delivery(fmt.Sprintf("c%d-%d", number, i))
		began := time.Now()
		if _, s.err = s.conn.Write(request); s.err != nil {
			return
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			s.err = err
			return
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNoContent {
			s.err = fmt.Errorf("a webhook was answered %s", answer.Status)
			return
		}
		s.times = append(s.times, time.Since(began))
	}
}

// delivery returns the request of a webhook about a person who leaves a topic.
func delivery(person string) []byte {
	now := time.Now()
	body := fmt.Appendf(nil, `{"event":"topic.unsubscribed","timestamp":%q,"data":{"contactId":%q,"email":"%s@example.com","listsRemoved":"[{\"topicId\":\"%s\",\"topicName\":\"Weekly news\"}]","unsubscribedAt":%d}}`,
		now.UTC().Format("2006-01-02T15:04:05.000Z"), person, person, topic, now.UnixMilli())
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST /webhooks/owlat HTTP/1.1\r\nHost: receiver.example\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	_ = owlat.SignWebhook(secret, "wh_1", now, body).Write(&request)
	request.WriteString("\r\n")
	request.Write(body)
	return request.Bytes()
}
