package ledger

import "errors"

// Why a ledger cannot be used. Each error says what to do. The errors of every store match them with errors.Is.
var (
	ErrNoFolder  = errors.New("the folder of the ledger does not exist: create it, or name another place")
	ErrNotLedger = errors.New("the file is no ledger of owlat-sync: name another file, or put a backup in its place with \"owlat-sync ledger restore\"")
	ErrCorrupt   = errors.New("the ledger is damaged: put a backup in its place with \"owlat-sync ledger restore\", or move it and the files beside it away and let the next run compare with Owlat. " +
		"If you put back the whole folder, name the ledger itself to \"owlat-sync ledger restore\" before the next run")
	// ErrMixed says that the file was replaced while the log of the one before was left beside it. Nothing was read from either.
	ErrMixed = errors.New("the ledger and the log beside it (its name ends in -wal) do not belong together: an older copy was put in the place of a ledger whose run was killed. " +
		"Put the file back that the log belongs to, or put the copy in its place with \"owlat-sync ledger restore\", which moves the log away too")
	ErrNewer    = errors.New("the ledger was written by a newer owlat-sync: use that version or a later one")
	ErrReadOnly = errors.New("the ledger cannot be written: allow this user to write the file and its folder")
	ErrBusy     = errors.New("another program keeps the ledger file locked: let it end, or close it")
	ErrFull     = errors.New("the disk of the ledger is full: free some space, nothing recorded is lost")
	ErrAway     = errors.New("the server of the ledger cannot be reached: see that it runs, and that this machine may connect to it")
	ErrBadURL   = errors.New("the URL of the ledger cannot be read")
	ErrClosed   = errors.New("the ledger is closed")
)

// Why a ledger does not take in a snapshot.
var (
	ErrNotEmpty      = errors.New("the ledger holds something already, and only a new or empty one is filled")
	ErrContradiction = errors.New("a line contradicts one before it")
)
