package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/exitcode"
)

// shownOperation is the operation by which the page shows what a person sees of the fault.
func (f fault) shownOperation() string {
	for _, l := range f.lines {
		if l.op == "update" {
			return l.op
		}
	}
	return f.lines[0].op
}

const introduction = "# When something goes wrong\n" + `
This page says what owlat-sync does when Owlat, the network, the source or the ledger fails: what you see, what it means, what to
do. The tables are tested line by line (` + "`go test ./internal/faults`" + `, which also makes this page): a real run meets the fault, then the
next run meets none. **After that, one more run sends nothing in any of the cases.** owlat-sync finds its way out of every fault.

## How to read this

- *Operation* is what the run was about to do for one row: create a contact, update its names, rename it (change its
  address), put it on a topic or take it off, delete it (its row left the source, with ` + "`on_missing: delete`" + `), send an event, list
  the contacts that Owlat has (on a first run), read the source. With the [unsubscribe secret](configuration.md#the-unsubscribe-secret) a run reads on
  which topics the contact is before it puts it on one: "members". "Opt-out" opts somebody out of everything whom a row says to
  [get no mail](consent.md#never-mail).
- *Round* is one that [looks for people who have left](feedback.md#without-webhooks-polling), when one person has: "round, list" meets the fault as it lists
  the contacts, "round, members" as it reads who was changed. The cells say how many people it found, and whether it broke off; the next round finds whoever it did not.
  "Round, opt-out" is about somebody who has come into Owlat although [no mail may go to them](consent.md#never-mail).
- *Met once*: one request of that kind meets the fault, and all is well again. *Met each time*: every such request of the run
  does. *The run after*: a minute later, without the fault.
- Each cell says what became of the row, the exit code, and the requests that were sent, such as "update ×3". "skipped"
  is a row that the run read and left to the next run, "not reached" one that it did not even read.
- The ledger keeps a failed row with its category, which stands in brackets here. ` + "`owlat-sync failures`" + ` lists such rows, and
  ` + "`owlat-sync explain KEY`" + ` tells a row's story. The next runs try again: the first at once, later ones after a pause that
  grows, eight times in all. A row that changes starts anew, and so does one that ` + "`owlat-sync retry`" + ` names.
- Once something has failed, a run does nothing more that follows from a row's absence.

Two things need care when nobody knows whether they took effect. An **event** would trigger its automations twice. A run reports it
once with the category ` + "`event`" + ` and then leaves it. Putting a contact **on a topic** again could undo an opt-out made since. So a run reads
the contact first (the "read" in the tables): where Owlat shows that nobody has left since, it sends the add again. Else it reports the row once
with the category ` + "`unsure`" + `, and ` + "`owlat-sync topic add`" + ` does it if you are sure. With the unsubscribe secret the run reads whether the contact is on the
topic: then the add has worked, and nothing is sent again.

The next run looks up an update, a rename or a delete of unknown outcome before it plans (the "read" in the tables), because the row
may have changed in the meantime.

A process that is killed, or a machine that stops, leaves the same open questions as a lost answer, and no others: only about requests
that were on their way, never about those that waited for their turn. The next run
goes on from what is recorded, and so does the next round (` + "`TestKilledInARound`" + `) (` + "`go test ./cmd/owlat-sync -run TestCrash`" + ` kills it at every sixth request and every twelfth commit, ` + "`make soak`" + ` at all).

Exit codes:

`

// page is docs/faults.md.
func page(faults []fault, shown map[string]string) string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, c := range []exitcode.Code{exitcode.OK, exitcode.Error, exitcode.Usage, exitcode.FailedRows, exitcode.Refused, exitcode.Locked} {
		fmt.Fprintf(&b, "- %d: %s\n", c, c)
	}
	b.WriteString("\n## All at a glance\n\n| fault | a run of 100 rows that all meet it |\n|---|---|\n")
	for _, f := range faults {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", f.title, anchor(f.title), f.glance())
	}
	for _, f := range faults {
		fmt.Fprintf(&b, "\n## %s\n\n", f.title)
		if text := shown[f.id]; text != "" {
			fmt.Fprintf(&b, "You see:\n\n```\n%s```\n\n", text)
		}
		fmt.Fprintf(&b, "%s\n\n**What to do.** %s\n\n", f.means, f.todo)
		b.WriteString("| operation | met once | met each time | the run after |\n|---|---|---|---|\n")
		for _, l := range f.lines {
			next := cell(l.next)
			if l.left != "" {
				next += "; " + l.left
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", l.op, cell(l.once), cell(l.lasting), next)
		}
	}
	b.WriteString(moves)
	b.WriteString(older)
	return b.String()
}

// moves is about addresses that pass from one row to another, which is no fault of anybody. TestTheWayOutOfAnExchange and
// TestAnAddressThatARowThatLeftKeeps in package reconcile follow it.
const moves = `
## Addresses that move from row to row

Owlat refuses an address that another contact has. So a run renames in an order in which each row finds its address free.
Two cases have no such order.

**Rows that exchange addresses.** Row 1 has the old address of row 2, and row 2 that of row 1. You see:

` + "```" + `
Not applied:
  users  key 1  failed  the address belongs to the contact of the row with key 2, which is to take another that is not free: rows that exchange addresses cannot be renamed by Owlat's API. Give one of them a third address, run, then its final one
` + "```" + `

The rows fail with the category ` + "`exchange`" + `, and no request is sent. An address that owlat-sync invented in between could
receive mail.

**What to do.**

1. Give one of the rows a third address that is yours, in your database.
2. Run. That row gets the third address, and the other rows get theirs.
3. Give it its final address, and run again.

**A row that left the source still holds the address.** Row 1 takes the address of row 2, and row 2 is gone from the source. With
` + "`on_missing: delete`" + ` the same run deletes the contact of row 2, right before it renames row 1. It does so only in a run of all
rows, within the guards, before any row has failed, and only if this sync created that contact. In all other cases Owlat refuses the
address, row 1 fails with the category ` + "`taken`" + `, and the reason says which row left and what to do:

| why the contact stays | what to do |
|---|---|
| ` + "`on_missing`" + ` is ` + "`keep` or `leave_topics`" + ` | delete the contact in Owlat, or give it another address there |
| the contact was in Owlat before the sync | the same |
| a row of another sync has it too | give that row another address, or take it out of its source |
| only a part was run (` + "`--only`, `--limit`" + `) | run without them |
| only changed rows were read | nothing: the next run reads all rows |
| rows of the source have no key | give every row a key, and run again |
| deleting it failed | nothing, or ` + "`owlat-sync retry`" + ` to try at once |
`

// glance says what becomes of a run of many rows.
func (f fault) glance() string {
	switch {
	case f.many == "":
		_, code, _ := strings.Cut(f.lines[0].lasting, "; ")
		return "ends at once; exit code " + code[:1]
	case f.took >= 2*time.Minute:
		return fmt.Sprintf("%s; after about %d minutes", f.many, (f.took+30*time.Second)/time.Minute)
	}
	return f.many
}

// cell is a run as a cell of a table.
func cell(run string) string {
	parts := strings.Split(run, "; ")
	return fmt.Sprintf("%s, exit %s: %s", parts[0], parts[1], parts[2])
}

// anchor is the name by which Markdown links to a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || slices.Contains([]rune("abcdefghijklmnopqrstuvwxyz0123456789"), r):
			b.WriteRune(r)
		}
	}
	return b.String()
}
