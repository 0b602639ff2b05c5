package faults

import "io"

const todoLedger = "Free some space, or give the user of owlat-sync the right to write the file and its folder. The next run " +
	"goes on from what is recorded."

// localFaults are those of the source and of the ledger.
func localFaults() []fault {
	return []fault{
		{
			id: "source", title: "The source breaks off",
			means: "The database ended the connection, or the file is cut short. Rows that were not read must not be taken " +
				"for rows that are gone. So the run sends nothing at all, however many rows it read before. " +
				"Where a long run reads its source again, what it has done by then stays, and the next run goes on from there.",
			todo: "See that the query runs to its end in the database's own client, then run again.",
			variants: []variant{
				{name: "at first", source: &sourceFault{after: 0, err: io.ErrUnexpectedEOF}},
				{name: "in the middle", source: &sourceFault{after: 1, err: io.ErrUnexpectedEOF}},
			},
			lines: parseLines(`
				source read | not reached; 1; nothing | not reached; 1; nothing | removed; 0; create, topic add, delete
			`),
		},
		{
			id: "ledger-closed", title: "The ledger cannot be written",
			means: "The disk of the ledger is full or broken, or the file is read-only. Without a ledger nothing may be sent.",
			todo:  todoLedger,
			variants: []variant{
				{name: "full", commit: &commitFault{from: sinceOpen, err: errFull}},
				{name: "disk", commit: &commitFault{from: sinceOpen, err: errDisk}},
			},
			lines: parseLines(`
				update | not reached; 1; nothing | not reached; 1; nothing | updated; 0; update
				source read | not reached; 1; nothing | not reached; 1; nothing | removed; 0; create, topic add, delete
				opt-out | not reached; 1; nothing | not reached; 1; nothing | updated; 0; opt-out
				round, list | not reached; 1; nothing | not reached; 1; nothing | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "locked", title: "Another run holds the ledger",
			means:    "A run, or a round, of another process goes on with the same ledger. Only one works at a time, so this one does nothing.",
			todo:     "Nothing: wait for its end. A service lets its runs wait for one another.",
			variants: []variant{{name: "locked", locked: true}},
			lines: parseLines(`
				update | not reached; 5; nothing | not reached; 5; nothing | updated; 0; update
				opt-out | not reached; 5; nothing | not reached; 5; nothing | updated; 0; opt-out
				round, list | found 0, broke off; 5; nothing | found 0, broke off; 5; nothing | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "ledger-before", title: "The ledger fails before a request",
			means: "Where a repetition could do harm, the run records a request before it sends it. When that fails, it does not " +
				"send the request, and ends.",
			todo: todoLedger,
			variants: []variant{
				{name: "full", commit: &commitFault{from: sincePlan, err: errFull}},
				{name: "disk", commit: &commitFault{from: sincePlan, err: errDisk}},
			},
			lines: parseLines(`
				create | failed (ledger); 1; nothing | failed (ledger); 1; nothing | created; 0; create
				update | failed (ledger); 1; nothing | failed (ledger); 1; nothing | updated; 0; update
				rename | failed (ledger); 1; nothing | failed (ledger); 1; nothing | renamed; 0; update
				topic add | failed (ledger); 1; nothing | failed (ledger); 1; nothing | updated; 0; topic add
				topic remove | failed (ledger); 1; nothing | failed (ledger); 1; nothing | updated; 0; topic remove
				delete | failed (ledger); 1; nothing | failed (ledger); 1; nothing | removed; 0; delete
				event | failed (ledger); 1; nothing | failed (ledger); 1; nothing | updated; 0; update, event
				opt-out | failed (ledger); 1; nothing | failed (ledger); 1; nothing | updated; 0; opt-out
				round, list | found 0, broke off; 1; nothing | found 0, broke off; 1; nothing | found 1; 0; list ×2, members, read
				round, opt-out | found 0, broke off; 1; nothing | found 0, broke off; 1; nothing | found 0; 0; list ×2, opt-out, read
			`),
		},
		{
			id: "ledger-after", title: "The ledger fails after an answer",
			means: "Owlat did what was asked, and the run could not record it. It ends, so that only what was under way is in " +
				"doubt. The next run finds out, or sends it again where that does no harm.",
			todo: todoLedger + " Rows with the category `event` are for you to decide: look in Owlat.",
			variants: []variant{
				{name: "full", commit: &commitFault{from: sinceAnswer, err: errFull}},
				{name: "disk", commit: &commitFault{from: sinceAnswer, err: errDisk}},
			},
			lines: parseLines(`
				create | failed (ledger); 1; create | failed (ledger); 1; create | created; 0; read
				update | failed (ledger); 1; update | failed (ledger); 1; update | unchanged; 0; read
				rename | failed (ledger); 1; update | failed (ledger); 1; update | unchanged; 0; read
				topic add | failed (ledger); 1; topic add | failed (ledger); 1; topic add | updated; 0; read, topic add
				topic remove | failed (ledger); 1; topic remove | failed (ledger); 1; topic remove | updated; 0; topic remove
				delete | failed (ledger); 1; delete | failed (ledger); 1; delete | unchanged; 0; read ×2
				event | failed (ledger); 1; update, event | failed (ledger); 1; update, event | failed (event); 3; nothing
				opt-out | failed (ledger); 1; opt-out | failed (ledger); 1; opt-out | updated; 0; opt-out, read
				round, list | found 0, broke off; 1; list | found 0, broke off; 1; list | found 1; 0; list ×2, members, read
				round, members | found 0, broke off; 1; list ×2, members, read | found 0, broke off; 1; list ×2, members, read | found 1; 0; list ×2, members, read
				round, opt-out | found 0; 0; list ×2, opt-out, read | found 0, broke off; 1; list ×2, opt-out, read | found 0; 0; list ×2, opt-out, read
			`),
		},
		{
			id: "ledger-written", title: "The ledger fails after it has written",
			means: "The disk reported a failure, but wrote all the same. The run ends as above. The next one finds " +
				"everything recorded.",
			todo:     todoLedger + " And have the disk looked at.",
			variants: []variant{{name: "disk", commit: &commitFault{from: sinceAnswer, err: errDisk, made: true}}},
			lines: parseLines(`
				create | failed (ledger); 1; create | failed (ledger); 1; create | unchanged; 0; nothing
				update | failed (ledger); 1; update | failed (ledger); 1; update | unchanged; 0; nothing
				rename | failed (ledger); 1; update | failed (ledger); 1; update | unchanged; 0; nothing
				topic add | failed (ledger); 1; topic add | failed (ledger); 1; topic add | unchanged; 0; nothing
				topic remove | failed (ledger); 1; topic remove | failed (ledger); 1; topic remove | unchanged; 0; nothing
				delete | failed (ledger); 1; delete | failed (ledger); 1; delete | unchanged; 0; nothing
				event | failed (ledger); 1; update, event | failed (ledger); 1; update, event | unchanged; 0; nothing
				opt-out | failed (ledger); 1; opt-out | failed (ledger); 1; opt-out | unchanged; 0; nothing
				round, list | found 0, broke off; 1; list | found 0, broke off; 1; list | found 1; 0; list ×2, members, read
				round, members | found 0, broke off; 1; list ×2, members, read | found 0, broke off; 1; list ×2, members, read | found 0; 0; list ×2
				round, opt-out | found 0; 0; list ×2, opt-out, read | found 0, broke off; 1; list ×2, opt-out, read | found 0; 0; list ×2
			`),
		},
	}
}
