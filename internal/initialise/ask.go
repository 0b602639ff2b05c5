package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/owlat"
)

// asker asks a person, on a terminal. A nil asker asks nobody: every question has an answer for that.
type asker struct {
	ctx context.Context
	in  *bufio.Reader
	out io.Writer
}

// asker returns nil where nobody can or wants to be asked.
func (a *app) asker(ctx context.Context) *asker {
	if a.yes || !a.interactive() {
		return nil
	}
	return newAsker(ctx, a.stdin, a.stderr)
}

func newAsker(ctx context.Context, in io.Reader, out io.Writer) *asker {
	return &asker{ctx: ctx, in: bufio.NewReader(in), out: out}
}

// line asks for one line, without the blanks around it. The input's end is an empty answer.
func (q *asker) line(format string, args ...any) (string, error) {
	_, _ = fmt.Fprintf(q.out, format, args...)
	type answer struct {
		text string
		err  error
	}
	// A terminal's read cannot be cancelled: after Ctrl-C it is left behind for the end of the process.
	got := make(chan answer, 1)
	go func() {
		text, err := q.in.ReadString('\n')
		got <- answer{text, err}
	}()
	select {
	case <-q.ctx.Done():
		return "", fmt.Errorf("interrupted, nothing was written: %w", q.ctx.Err())
	case a := <-got:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", a.err)
		}
		return strings.TrimSpace(a.text), nil
	}
}

func (q *asker) say(format string, args ...any) { _, _ = fmt.Fprintf(q.out, format, args...) }

// maxAsked is how many tables are shown to choose from.
const maxAsked = 9

// table asks which of the tables holds the people; the first is the answer for an empty line.
func (q *asker) table(ranked []inspect.Candidate) (*inspect.Table, error) {
	if q == nil || len(ranked) == 1 {
		return ranked[0].Table, nil
	}
	q.say("These tables have addresses, the likeliest first:\n\n")
	shown := ranked[:min(len(ranked), maxAsked)]
	for i, c := range shown {
		q.say("  %d  %s  (%s)\n", i+1, c.Table.Title(), tableFacts(c))
	}
	for {
		answer, err := q.line("\nWhich one holds the people? [1] ")
		if err != nil {
			return nil, err
		}
		if answer == "" {
			return shown[0].Table, nil
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(shown) {
			return shown[n-1].Table, nil
		}
		for _, c := range ranked {
			if strings.EqualFold(answer, c.Table.Title()) {
				return c.Table, nil
			}
		}
		q.say("Answer with a number from 1 to %d, or Enter for 1.", len(shown))
	}
}

func tableFacts(c inspect.Candidate) string {
	facts := []string{"addresses in " + c.Email}
	if c.Table.Sampled {
		facts = append(facts, rowCount(c.Table.Rows))
	}
	return strings.Join(facts, ", ")
}

func rowCount(n int) string {
	switch {
	case n > inspect.RowsCounted:
		return fmt.Sprintf("more than %d rows", inspect.RowsCounted)
	case n == 1:
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// settings asks for what no database knows: the deployment and the ids of the topics.
func (q *asker) settings(s *inspect.Settings, p *inspect.Proposal) error {
	if q == nil {
		return nil
	}
	if s.URL == "" {
		answer, err := q.line("Address of your Owlat deployment? [%s] ", owlat.DefaultBaseURL)
		if err != nil {
			return err
		}
		s.URL = answer
	}
	asked := false
	for i := range p.Topics {
		t := &p.Topics[i]
		if t.ID != "" {
			continue
		}
		if !asked {
			q.say("\nThe id of a topic stands on its page in Owlat. Leave it empty to fill it in later.\n")
			asked = true
		}
		id, err := q.topicID(t.When)
		if err != nil {
			return err
		}
		t.ID = id
	}
	return nil
}

func (q *asker) topicID(column string) (string, error) {
	for {
		answer, err := q.line("Topic for those whose %q says yes? [later] ", column)
		if err != nil || answer == "" {
			return "", err
		}
		if config.ValidTopicID(answer) {
			return answer, nil
		}
		q.say("A topic id has at least 10 letters and digits.\n")
	}
}
