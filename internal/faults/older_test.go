package faults

// older is about ledgers that were put back, which no request meets. TestAnOlderLedgerPutsNobodyBack in package reconcile,
// TestALogOfAnotherFile in ledger/sqlite and the story restore.txtar of the program follow it.
const older = `
## An older ledger is put back

A backup, an export or a copy of the ledger does not know what runs have done since. A file beside the ledger, whose name ends in
` + "`.age`" + `, tells it. You see in a plan:

` + "```" + `
  THE LEDGER IS OLDER THAN WHAT WAS DONE: a backup, a copy or an export took its place, or the file beside it (.age) is missing.
  What runs did since is not known. A run looks first at what Owlat holds. Consents that the ledger does not know count as old: these
  people are not added, because they may have left. Events that may have been sent are not sent. If you still have the latest ledger,
  put it and its .age file back before a run. "owlat-sync topic add" adds people of whom you are sure.
` + "```" + `

A run goes on, and says the same in fewer words. ` + "`status` and `check`" + ` say it too, until a run of all rows has come to its end.

**What to do.** If you have the latest ledger, put it and its ` + "`.age`" + ` file back before the next run. Otherwise just run. People who said
yes since the backup and are not on the topic are counted as left as they are; ` + "`owlat-sync topic add`" + ` adds those of whom you are sure.

A whole folder that is put back is not noticed, because its ` + "`.age`" + ` file comes back too. Say it before the next run, with
` + "`owlat-sync ledger restore owlat-sync.db`" + `.

## The ledger was replaced beside a log

A run that is killed leaves a log beside the ledger, whose name ends in ` + "`-wal`" + `. An older copy of the ledger beside that log would make
one ledger out of two. You see, with every command, and nothing is sent or changed:

` + "```" + `
owlat-sync: open ledger owlat-sync.db: the ledger and the log beside it (its name ends in -wal) do not belong together: an older copy was put in the place of a ledger whose run was killed. Put the file back that the log belongs to, or put the copy in its place with "owlat-sync ledger restore", which moves the log away too
` + "```" + `

**What to do.** Put the file back that was there: with its log it is complete. If you no longer have it, move the copy elsewhere and
restore it from there: ` + "`owlat-sync ledger restore FILE`" + ` moves the log away. Then the ledger is an older one, as above.
`
