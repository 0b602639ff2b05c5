// Package crowd has the people of a first run, and a deployment of Owlat's emulator for them, for the parts of the benchmark that make one.
package crowd

import (
	"context"
	"fmt"
	"iter"
	"time"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// Rows is a source of so many people who are all on a topic.
type Rows int

// Rows implements reconcile.Source.
func (n Rows) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for i := range int(n) {
			row := owlatsync.Row{
				Key: fmt.Sprint(i), Email: owlatsync.Some(fmt.Sprintf("user%d@example.com", i)), Position: owlatsync.Position{Unit: "row", Number: i + 1},
				Consents: []owlatsync.Consent{owlatsync.Yes},
			}
			if ctx.Err() != nil || !yield(&row, nil) {
				return
			}
		}
	}
}

// Owlat returns an emulator that answers after 20 to 60 ms, and a client with so many API keys of it.
func Owlat(keys int) (*owlattest.Server, *owlat.Client, error) {
	server := &owlattest.Server{RandomSeed: 1}
	late := owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * time.Millisecond, Jitter: 20 * time.Millisecond}
	answer := late
	answer.After = true
	if err := server.InjectFaults(late, answer); err != nil {
		return nil, nil, err
	}
	var values []string
	for range keys {
		values = append(values, server.AddKey())
	}
	client, err := owlat.NewClient("https://owlat.example", values[0], owlat.WithMoreKeys(values[1:]...), owlat.WithTransport(server.Transport()))
	return server, client, err
}
