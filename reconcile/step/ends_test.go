package step_test

import (
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

func TestEnds(t *testing.T) {
	t.Parallel()
	name := "Ada"
	create := []owlatsync.Change{{Kind: owlatsync.CreateContact}, {Kind: owlatsync.SetField}, {Kind: owlatsync.AddTopic, Topic: "news"}}
	due := func(names ...string) (marks []ledger.EventMark) {
		for _, n := range names {
			marks = append(marks, ledger.EventMark{Name: n, State: ledger.EventDue})
		}
		return marks
	}
	named, bare := &step.Row{Fields: step.Wanted{owlatsync.FirstName: &name}}, &step.Row{}
	ends := func(requests, added, events int) owlatsync.Ends {
		return owlatsync.Ends{Requests: requests, Added: added, Events: events}
	}
	for _, tt := range []struct {
		name        string
		step        step.Step
		least, most owlatsync.Ends
	}{
		{"nothing to meet", step.Step{Row: named, Changes: create, Events: due("a")}, ends(3, 1, 1), ends(3, 1, 1)},
		{"may exist, without topics and events", step.Step{Row: named, Changes: create[:2], MayExist: true}, ends(1, 0, 0), ends(3, 0, 0)},
		{"and without names", step.Step{Row: bare, Changes: create[:1], MayExist: true}, ends(1, 0, 0), ends(2, 0, 0)},
		{"may exist, and is left alone", step.Step{Row: bare, Changes: create, MayExist: true, Met: &step.Met{}}, ends(2, 0, 0), ends(3, 1, 0)},
		{"may exist, and goes on the topic", step.Step{Row: named, Changes: create, MayExist: true, Met: &step.Met{Changes: create[2:]}}, ends(2, 1, 0), ends(4, 1, 0)},
		{"may exist, and has other events", step.Step{Row: bare, Changes: create, Events: due("made", "met"), MayExist: true, Met: &step.Met{Events: due("met")}},
			ends(3, 0, 1), ends(4, 1, 2)},
	} {
		if least, most := tt.step.Ends(); least != tt.least || most != tt.most {
			t.Errorf("%s: %+v to %+v, want %+v to %+v", tt.name, least, most, tt.least, tt.most)
		}
	}
}
