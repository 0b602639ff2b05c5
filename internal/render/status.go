package render

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/internal/standing"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// syncStatus is what "status --json" prints for each sync.
type syncStatus struct {
	Type string `json:"type"`
	// Deployment is the name of the deployment, absent if the configuration has only one without a name.
	Deployment string     `json:"deployment,omitempty"`
	Sync       string     `json:"sync"`
	Rows       int        `json:"rows"`    // rows that the ledger knows
	InStep     int        `json:"in_step"` // without those that the latest run found invalid
	Failing    int        `json:"failing"`
	SetBack    *time.Time `json:"set_back,omitempty"`         // when the ledger was found to be older than what was done; absent: it is not
	Parked     int        `json:"parked"`                     // failing rows that are not tried again until they change
	Asked      int        `json:"asked_to_confirm,omitempty"` // rows whose people were asked within the life of the link (double opt-in)
	// Unsendable counts the rows that the latest run read and could not send: invalid ones and duplicates.
	Unsendable int       `json:"unsendable"`
	Held       []heldRun `json:"held"` // runs that wait for approval, newest first
	Runs       []runLine `json:"runs"` // newest first

	Reading *readingStatus `json:"reading,omitempty"` // only of a sync with a cursor
}

// heldRun is a run that a guard holds.
type heldRun struct {
	Run     int64     `json:"run"`
	Started time.Time `json:"started"`
	Message string    `json:"message"`
	Partial bool      `json:"partial,omitempty"` // it applies only the rows of --only or --limit
	Approve string    `json:"approve,omitempty"` // the command that applies its plan
	Refused string    `json:"refused,omitempty"` // why it can no longer be approved; a new run takes its place
}

type runLine struct {
	Run      int64             `json:"run"`
	Mode     string            `json:"mode"`
	Started  *time.Time        `json:"started,omitempty"`  // absent if it never began: it is queued, or was cancelled before
	Finished *time.Time        `json:"finished,omitempty"` // absent while it runs or if its process died
	Heard    *time.Time        `json:"heard,omitempty"`    // when it was last known to go on, if it goes on or broke off
	Status   string            `json:"status"`
	Stage    string            `json:"stage,omitempty"` // what it did then, if it goes on
	Message  string            `json:"message,omitempty"`
	Report   *owlatsync.Report `json:"report,omitempty"`
}

func newSyncStatus(st standing.Sync, typed words.Typed) syncStatus {
	s := syncStatus{
		Type: "status", Sync: st.Sync.Name, Rows: st.Rows.Entries, InStep: st.InStep(), Unsendable: st.Unsendable(), Failing: st.Rows.Failing, Parked: st.Rows.Parked,
		Asked: st.Rows.Asked,
		Held:  make([]heldRun, len(st.Held)), Runs: make([]runLine, len(st.Runs)),
	}
	for i, r := range st.Held {
		s.Held[i] = heldRun{Run: r.ID, Started: r.Started, Message: r.Message, Partial: r.Partial}
		if r.Refused != nil {
			s.Held[i].Refused = r.Refused.Error()
		} else {
			s.Held[i].Approve = typed.Command(fmt.Sprintf("approve %d", r.ID), s.Sync)
		}
	}
	for i, r := range st.Runs {
		s.Runs[i] = newRunLine(r)
	}
	if !st.Rows.SetBack.IsZero() {
		s.SetBack = &st.Rows.SetBack
	}
	if st.Known {
		s.Reading = newReadingStatus(st.Sync, st.Bookmark)
	}
	return s
}

func newRunLine(r ledger.Run) runLine {
	l := runLine{Run: r.ID, Mode: string(r.Mode), Status: string(r.Status), Message: r.Message, Report: r.Report}
	if !r.Started.IsZero() {
		l.Started = &r.Started
	}
	if !r.Finished.IsZero() {
		l.Finished = &r.Finished
	}
	goesOn := r.Status == ledger.StatusRunning || r.Status == ledger.StatusWaiting
	if (goesOn || r.Status == ledger.StatusDied) && !r.Heartbeat.IsZero() {
		l.Heard = &r.Heartbeat
	}
	if goesOn {
		l.Stage = string(r.Stage)
	}
	return l
}

// Status shows the state of a sync of a deployment, whose name may be empty.
func Status(to To, deployment string, st standing.Sync, typed words.Typed) error {
	s := newSyncStatus(st, typed)
	s.Deployment = deployment
	if to.JSON {
		return to.json(s)
	}
	if len(s.Runs) == 0 {
		to.printf("%s: never run\n", s.Sync)
		return nil
	}
	to.printf("%s: the ledger knows %s: %d in step, %d failing", s.Sync, words.Plural(s.Rows, "row"), s.InStep, s.Failing)
	if s.Parked > 0 {
		to.printf(" (%d of them not tried again until they change)", s.Parked)
	}
	if s.Failing > 0 {
		to.printf("; \"%s\" lists them", typed.Command("failures", s.Sync))
	}
	to.printf("\n")
	if s.Unsendable > 0 {
		to.printf("  %s be sent; \"%s\" lists them\n", words.Several(s.Unsendable, "row of the source cannot", "rows of the source cannot"),
			typed.Command("failures --kind invalid,duplicate", s.Sync))
	}
	if s.SetBack != nil {
		to.printf("  the ledger is older than what was done, noticed %s: \"%s\" says what a run makes of it\n", words.Clock(*s.SetBack), typed.Command("plan", s.Sync))
	}
	if s.Asked > 0 {
		to.printf("  %s asked in the last %s to confirm (double opt-in); Owlat does not tell who has\n", words.Several(s.Asked, "person was", "people were"), confirmWithin)
	}
	if s.Reading != nil {
		to.printf("  %s\n", s.Reading.words())
	}
	if len(s.Held) > 0 {
		held := s.Held[0]
		to.printf("  run %d of %s is %s\n", held.Run, words.Clock(held.Started), held.Message)
		switch {
		case held.Refused != "":
			to.printf("    not any more: %s\n", held.Refused)
		case held.Partial:
			held.Approve += " (only the rows that --only or --limit asked for)"
			fallthrough
		default:
			to.printf("    look at it:   %s\n    apply it:     %s\n", typed.Command("plan", s.Sync), held.Approve)
		}
		if more := len(s.Held) - 1; more > 0 {
			to.printf("    held before:  %s\n", words.Plural(more, "run"))
		}
	}
	lines := [][]string{{"  run", "started", "took", "status", "rows", "created", "updated", "unchanged", "failed", "unsendable", "requests"}}
	for _, r := range s.Runs {
		lines = append(lines, r.cells())
	}
	to.printf("%s", words.AlignRight(lines))
	if last := s.Runs[0]; last.Report != nil && last.Report.Memberships.Pending > 0 {
		to.printf("  the latest: %s\n", addedWords(last.Report.Memberships))
	}
	if last := s.Runs[0]; last.Report != nil && last.Report.LinksEnded != "" {
		to.printf("  the latest: %s\n", typed.Complete(withoutLinks(last.Report.LinksEnded)))
	}
	if last := s.Runs[0]; last.Report != nil && last.Report.NotImported > 0 {
		to.printf("  the latest: %s\n", typed.Complete(notImported(last.Report.NotImported)))
	}
	if last := s.Runs[0]; last.Report != nil && len(last.Report.KeysRefused) > 0 {
		to.printf("  the latest: %s\n", typed.Complete(refusedKeys(last.Report.KeysRefused)))
	}
	switch last := s.Runs[0]; {
	case last.Status == string(ledger.StatusDied):
		to.printf("  the latest broke off%s: %s; the next run goes on from what is recorded\n", heard(st.Runs[0]), last.Message)
	case last.Stage != "" && last.Heard != nil:
		to.printf("  the latest goes on, in the stage %q, as it told %s; its record is brought up to date every ten seconds\n", last.Stage, words.Clock(*last.Heard))
	case last.Message != "" && last.Status != string(ledger.StatusHeld):
		to.printf("  the latest ended with: %s\n", last.Message)
	}
	return nil
}

// heard says when a run that broke off was last known to go on.
func heard(r ledger.Run) string {
	if r.Heartbeat.IsZero() {
		return ""
	}
	return " at " + words.Clock(r.Heartbeat) + " or soon after"
}

func (r runLine) cells() []string {
	began, lasted := "-", "-"
	if r.Started != nil {
		began = words.Clock(*r.Started)
		if r.Finished != nil {
			lasted = took(r.Finished.Sub(*r.Started))
		}
	}
	cells := []string{fmt.Sprintf("  %d", r.Run), began, lasted, r.Status}
	if r.Report == nil {
		return append(cells, "-", "-", "-", "-", "-", "-", "-")
	}
	for _, n := range []int{
		r.Report.Rows, r.Report.Outcomes[owlatsync.Created], r.Report.Outcomes[owlatsync.Updated],
		r.Report.Outcomes[owlatsync.Unchanged], r.Report.Outcomes[owlatsync.Failed], r.Report.Unsendable(), r.Report.Requests.Total,
	} {
		cells = append(cells, fmt.Sprint(n))
	}
	return cells
}
