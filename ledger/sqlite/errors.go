package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Why a ledger cannot be used. Each says what to do; the errors of this package match them with errors.Is.
var (
	ErrNoFolder  = errors.New("the folder of the ledger does not exist: create it, or name another place")
	ErrNotLedger = errors.New("the file is no ledger of owlat-sync: name another file, or restore the ledger from a backup")
	ErrCorrupt   = errors.New("the ledger is damaged: restore it from a backup, or move it away and let the next run compare with Owlat")
	ErrNewer     = errors.New("the ledger was written by a newer owlat-sync: use that version or a later one")
	ErrReadOnly  = errors.New("the ledger cannot be written: allow this user to write the file and its folder")
	ErrBusy      = errors.New("another program keeps the ledger file locked: let it end, or close it")
	ErrFull      = errors.New("the disk of the ledger is full: free some space, nothing recorded is lost")
	ErrClosed    = errors.New("the ledger is closed")
)

// Primary result codes of SQLite, the same in every driver.
const (
	codeError      = 1
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeConstraint = 19
	codeNotADB     = 26
)

// explain adds what a person can do to an error of the database. The context's own error wins over what it caused.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if hint := hintFor(err); hint != nil && !errors.Is(err, hint) {
		return fmt.Errorf("%w (%w)", hint, err)
	}
	return err
}

func hintFor(err error) error {
	switch primaryCode(err) {
	case codeBusy, codeLocked:
		return ErrBusy
	case codePerm, codeReadOnly, codeCantOpen:
		return ErrReadOnly
	case codeCorrupt:
		return ErrCorrupt
	case codeNotADB:
		return ErrNotLedger
	case codeFull:
		return ErrFull
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ErrReadOnly
	}
	return nil
}

// primaryCode returns SQLite's primary result code for drivers whose errors tell it by a method Code, else 0.
func primaryCode(err error) int {
	if coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return coded.Code() & 0xff
	}
	return 0
}

// concernsAll reports whether an error is about the file rather than about what was to be written.
func concernsAll(err error) bool { return hintFor(err) != nil || primaryCode(err) == codeIO }
