package initialise

import (
	"fmt"
	"strconv"
	"strings"

	"owlatsync/internal/console"
	"owlatsync/internal/inspect"
	"owlatsync/internal/propose"
	"owlatsync/owlat"
)

// dialogue asks a person for what no database knows. Without an asker every question has a default answer.
type dialogue struct{ *console.Asker }

// maxAsked is the most tables that are shown to choose from.
const maxAsked = 9

// table asks which table holds the people; an empty line chooses the first.
func (d dialogue) table(ranked []propose.Candidate) (*inspect.Table, error) {
	if d.Asker == nil || len(ranked) == 1 {
		return ranked[0].Table, nil
	}
	d.Say("These tables have addresses, the likeliest first:\n\n")
	shown := ranked[:min(len(ranked), maxAsked)]
	for i, c := range shown {
		d.Say("  %d  %s  (%s)\n", i+1, c.Table.Title(), tableFacts(c))
	}
	for {
		answer, err := d.Line("\nWhich one holds the people? [1] ")
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
		d.Say("Answer with a number from 1 to %d, or Enter for 1.", len(shown))
	}
}

func tableFacts(c propose.Candidate) string {
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

// address asks for the address of the deployment.
func (d dialogue) address(s *propose.Settings) (err error) {
	if d.Asker != nil && s.URL == "" {
		s.URL, err = d.Line("Address of your Owlat deployment? [%s] ", owlat.DefaultBaseURL)
	}
	return err
}

// topics asks for the topics that are not known yet.
func (d dialogue) topics(p *propose.Proposal, names book) error {
	if d.Asker == nil {
		return nil
	}
	asked := false
	for i := range p.Topics {
		t := &p.Topics[i]
		if t.ID != "" {
			continue
		}
		if !asked {
			d.offer(names)
			asked = true
		}
		chosen, err := d.topic(t.When, names)
		if err != nil {
			return err
		}
		t.ID, t.Name, t.Called = chosen.ID, chosen.Name, chosen.Called
	}
	return nil
}

// offer says which topics there are, as far as that is known.
func (d dialogue) offer(names book) {
	lines := names.shown()
	if len(lines) == 0 {
		d.Say("\nThe id of a topic stands on its page in Owlat. Leave it empty to fill it in later.\n")
		return
	}
	d.Say("\nOwlat has these topics. Leave it empty to choose one later.\n\n")
	for i, line := range lines {
		d.Say("  %d  %s\n", i+1, line)
	}
	d.Say("\n")
}

// topic asks for a topic by its number, name or id; one without an id is chosen later.
func (d dialogue) topic(column string, names book) (t propose.Topic, err error) {
	all := names.Topics()
	for {
		answer, err := d.Line("Topic for those whose %q says yes? [later] ", column)
		if err != nil || answer == "" {
			return t, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= min(len(all), mostListed) {
			return names.of(all[n-1].ID), nil
		}
		if t, err = names.topic(answer); err == nil {
			return t, nil
		}
		if len(all) > 0 {
			d.Say("%s.\n", err)
			continue
		}
		d.Say("A topic id has at least 10 letters and digits.\n")
	}
}
