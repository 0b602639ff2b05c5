package faults

import (
	"time"

	"owlatsync/owlat/owlattest"
)

// connectionFaults are requests whose answer does not come, or not whole.
func connectionFaults() []fault {
	return []fault{
		{
			id: "unreached", title: "Owlat cannot be reached", everything: true,
			means:    "The name is unknown or nothing accepts the connection. Nothing was sent, so nothing is in doubt.",
			todo:     "Check `owlat.url`, the network and the deployment. The next run goes on.",
			variants: []variant{unreached("refused", errRefused), unreached("no such host", errNoHost)},
			many:     endsSoon, took: 11 * time.Second,
			lines: parseLines(`
				create | failed (network); 3; create | failed (network); 3; create | created; 0; create
				update | updated; 0; update ×2 | failed (network); 3; update ×3 | updated; 0; update
				rename | renamed; 0; update ×2 | failed (network); 3; update ×3 | renamed; 0; update
				topic add | failed (network); 3; topic add | failed (network); 3; topic add | updated; 0; topic add
				topic remove | updated; 0; topic remove ×2 | failed (network); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (network); 3; delete ×3 | removed; 0; delete
				event | failed (network); 3; update, event | failed (network); 3; update, event | updated; 0; event
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2 | failed (network); 3; opt-out ×3 | updated; 0; opt-out
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0; 0; list ×2, members ×3 | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "reset-before", title: "The connection breaks before the request takes effect",
			means: "The request was lost on the way. owlat-sync cannot know that, and treats it as one that may have taken " +
				"effect.",
			todo:     todoLost,
			variants: []variant{emulated("reset", owlattest.Fault{Kind: owlattest.ResetBefore})},
			many:     endsSoon, took: 11 * time.Second,
			lines: parseLines(`
				create | created; 0; create ×2, read | failed (network); 3; create ×3, read ×2 | created; 0; read, create
				update | updated; 0; update ×2 | failed (network); 3; update ×3 | updated; 0; read, update
				rename | renamed; 0; update ×2 | failed (network); 3; update ×3 | renamed; 0; read, update
				topic add | updated; 0; topic add ×2, read | failed (network); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				topic add, with the secret | updated; 0; members ×2, topic add ×2, read | failed (network); 3; members ×3, topic add ×3, read ×2 | updated; 0; members, read, topic add
				members | updated; 0; members ×2, topic add | updated; 0; members ×3, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove ×2 | failed (network); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (network); 3; delete ×3 | removed; 0; read, delete
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing | the event was never sent
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2 | failed (network); 3; opt-out ×3 | updated; 0; opt-out
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0; 0; list ×2, members ×3 | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "reset-after", title: "The answer is lost after the request took effect",
			means: "Owlat did what was asked, and the connection broke before or within the answer. The run finds a contact that a " +
				"lost create made, and counts it as created by this sync.",
			todo: todoLost,
			variants: []variant{
				emulated("reset", owlattest.Fault{Kind: owlattest.ResetAfter}),
				emulated("truncated", owlattest.Fault{Kind: owlattest.TruncatedBody}),
			},
			many: endsSoon, took: 11 * time.Second,
			lines: parseLines(`
				create | created; 0; create, read | created; 0; create, read | unchanged; 0; nothing
				update | updated; 0; update ×2 | failed (network); 3; update ×3 | unchanged; 0; read
				rename | renamed; 0; update ×2 | failed (network); 3; update ×3 | unchanged; 0; read
				topic add | updated; 0; topic add ×2, read | failed (network); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				topic add, with the secret | updated; 0; members ×2, topic add | updated; 0; members ×2, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove ×2 | failed (network); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (network); 3; delete ×3 | unchanged; 0; read ×2
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2, read | failed (network); 3; opt-out ×3 | updated; 0; opt-out, read
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0; 0; list ×2, members ×3 | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "late", title: "The answer comes after 30 seconds, or does not end",
			means: "Owlat did what was asked, but the answer came too late, too slowly, or without an end. A request has 30 " +
				"seconds for all of it.",
			todo: todoLost + " If it happens often, look at the deployment's load.",
			variants: []variant{
				emulated("late", owlattest.Fault{Kind: owlattest.Latency, Delay: time.Minute, After: true}),
				emulated("endless", owlattest.Fault{Kind: owlattest.EndlessBody, Delay: 20 * time.Second}),
				emulated("slow", owlattest.Fault{Kind: owlattest.SlowBody, Delay: 10 * time.Second}),
			},
			many: endsSoon, took: 275 * time.Second,
			lines: parseLines(`
				create | created; 0; create, read | created; 0; create, read | unchanged; 0; nothing
				update | updated; 0; update ×2 | failed (timeout); 3; update ×3 | unchanged; 0; read
				rename | renamed; 0; update ×2 | failed (timeout); 3; update ×3 | unchanged; 0; read
				topic add | updated; 0; topic add ×2, read | failed (timeout); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				topic add, with the secret | updated; 0; members ×2, topic add | updated; 0; members ×2, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove ×2 | failed (timeout); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (timeout); 3; delete ×3 | unchanged; 0; read ×2
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2, read | failed (never mail); 3; opt-out ×2 | updated; 0; opt-out, read
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0, broke off; 1; list ×2, members ×2 | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "timeout", title: "No answer within 30 seconds, and no effect",
			means:    "owlat-sync gave the request up after 30 seconds, and it never took effect.",
			todo:     todoLost + " If it happens often, look at the deployment's load.",
			variants: []variant{emulated("latency", owlattest.Fault{Kind: owlattest.Latency, Delay: time.Minute})},
			many:     endsSoon, took: 275 * time.Second,
			lines: parseLines(`
				create | created; 0; create ×2, read | failed (timeout); 3; create ×3, read ×2 | created; 0; read, create
				update | updated; 0; update ×2 | failed (timeout); 3; update ×3 | updated; 0; read, update
				rename | renamed; 0; update ×2 | failed (timeout); 3; update ×3 | renamed; 0; read, update
				topic add | updated; 0; topic add ×2, read | failed (timeout); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				topic add, with the secret | updated; 0; members ×2, topic add ×2, read | failed (timeout); 3; members ×3, topic add ×3, read ×2 | updated; 0; members, read, topic add
				members | updated; 0; members ×2, topic add | updated; 0; members ×2, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove ×2 | failed (timeout); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (timeout); 3; delete ×3 | removed; 0; read, delete
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing | the event was never sent
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2 | failed (never mail); 3; opt-out ×2 | updated; 0; opt-out
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0, broke off; 1; list ×2, members ×2 | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "slow", title: "Slow answers",
			means: "owlat-sync waits up to 30 seconds for an answer. The longer answers take, the more rows it works on at once, up to 128. So " +
				"latency alone rarely slows a run.",
			todo: "Nothing.",
			variants: []variant{
				emulated("latency", owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * time.Second}),
				emulated("slow body", owlattest.Fault{Kind: owlattest.SlowBody, Delay: 2 * time.Second}),
			},
			many: "goes on with the other rows; exit code 0", took: 140 * time.Second,
			lines: parseLines(`
				create | created; 0; create | created; 0; create | unchanged; 0; nothing
				update | updated; 0; update | updated; 0; update | unchanged; 0; nothing
				rename | renamed; 0; update | renamed; 0; update | unchanged; 0; nothing
				topic add | updated; 0; topic add | updated; 0; topic add | unchanged; 0; nothing
				members | updated; 0; members, topic add | updated; 0; members, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove | updated; 0; topic remove | unchanged; 0; nothing
				delete | removed; 0; delete | removed; 0; delete | unchanged; 0; nothing
				event | updated; 0; update, event | updated; 0; update, event | unchanged; 0; nothing
				list | created; 0; list, create ×6 | created; 0; list, create ×6 | unchanged; 0; nothing
				opt-out | updated; 0; opt-out | updated; 0; opt-out | unchanged; 0; nothing
				round, list | found 1; 0; list ×2, members, read | found 1; 0; list ×2, members, read | found 0; 0; list ×2
				round, members | found 1; 0; list ×2, members, read | found 1; 0; list ×2, members, read | found 0; 0; list ×2
			`),
		},
	}
}
