package initialise

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/topics"
	"owlatsync/owlat"
)

// EnvSecret is the variable with the unsubscribe secret of the deployment.
const EnvSecret = "UNSUBSCRIBE_SECRET"

// askWithin is how long Owlat may take to tell its topics.
const askWithin = 10 * time.Second

// mostListed is how many topics are shown.
const mostListed = 30

// book is what Owlat's topics are called. The zero value knows none.
type book struct{ topics.Book }

// read asks Owlat for its topics, if the address, the key and the secret are known. It changes nothing. The error says why they are not known
// all the same; nothing needs them.
func (q *Question) read(ctx context.Context, o setup.Opener, url string) (b book, err error) {
	if url == "" || q.APIKey == "" || q.Secret == "" {
		return b, nil
	}
	client, err := o.Client(config.Owlat{URL: url, APIKey: config.Secret(q.APIKey), UnsubscribeSecret: config.Secret(q.Secret)},
		owlat.WithRetries(0), owlat.WithTimeout(askWithin))
	if err != nil {
		return b, err
	}
	defer client.CloseIdleConnections()
	b.Book, err = topics.Read(ctx, client, nil)
	if errors.Is(err, topics.ErrNobody) {
		return b, nil
	}
	return b, err
}

// shown returns what Owlat's topics are called, with their ids.
func (b book) shown() (lines []string) {
	all := b.Topics()
	for _, t := range all[:min(len(all), mostListed)] {
		lines = append(lines, t.String())
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

// topic returns the topic that is meant by an id or a name. Without a topic of that name it is an id, if it has the form of one.
func (b book) topic(text string) (t propose.Topic, err error) {
	if _, known := b.Name(text); known {
		return b.of(text), nil
	}
	if len(b.Topics()) > 0 {
		id, notFound := b.Find(text)
		if notFound == nil {
			return b.of(id), nil
		}
		err = notFound
	}
	if config.ValidTopicID(text) {
		return propose.Topic{ID: text}, nil
	}
	if err == nil {
		err = fmt.Errorf("%q is not a topic id; that has at least 10 letters and digits and stands on the topic's page in Owlat", text)
	}
	return t, err
}

// of returns the topic with the id, and its name if that alone says which is meant.
func (b book) of(id string) propose.Topic {
	t := propose.Topic{ID: id}
	name, _ := b.Name(id)
	name = strings.TrimSpace(name)
	if found, err := b.Find(name); name != "" && err == nil && found == id {
		t.Name = name
	} else {
		t.Called = name
	}
	return t
}

// use sets the topics of the proposal, in the form of Question.Topics.
func (b book) use(p *propose.Proposal, chosen []string) error {
	for _, text := range chosen {
		id, column, _ := strings.Cut(text, "=")
		topic, err := b.topic(id)
		if err != nil {
			return problem.Usage(fmt.Errorf("--topic %q: %w", text, err))
		}
		if column != "" && !p.AddColumn(column) {
			return problem.Usage(fmt.Errorf("--topic %q: table %s has no column %q; it has: %s", text, p.Table.Title(), column, columnNames(p)))
		}
		p.Choose(column, topic)
	}
	return nil
}

// UseTopics sets the topics of the proposal, each "ID=column", or only the ID if every row consents.
func UseTopics(p *propose.Proposal, topics []string) error { return book{}.use(p, topics) }
