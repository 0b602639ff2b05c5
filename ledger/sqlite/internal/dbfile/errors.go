package dbfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"owlatsync/ledger"
)

// Primary result codes of SQLite, which are the same in every driver.
const (
	codeError      = 1
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	CodeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	CodeCantOpen   = 14
	CodeConstraint = 19
	codeNotADB     = 26
)

// Explain adds what a person can do to an error of the database. If ctx has ended, Explain returns its cause instead.
func Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if hint := HintFor(err); hint != nil && !errors.Is(err, hint) {
		return fmt.Errorf("%w (%w)", hint, err)
	}
	return err
}

// HintFor returns the sentinel of package ledger for an error of the database, nil if a person can do nothing.
func HintFor(err error) error {
	switch PrimaryCode(err) {
	case codeBusy, codeLocked:
		return ledger.ErrBusy
	case codePerm, codeReadOnly, CodeCantOpen:
		return ledger.ErrReadOnly
	case codeCorrupt:
		return ledger.ErrCorrupt
	case codeNotADB:
		return ledger.ErrNotLedger
	case codeFull:
		return ledger.ErrFull
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return ledger.ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ledger.ErrReadOnly
	}
	return nil
}

// PrimaryCode returns SQLite's primary result code, 0 if the error of the driver has no method Code.
func PrimaryCode(err error) int {
	if coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return coded.Code() & 0xff
	}
	return 0
}

// ConcernsAll reports whether an error is about the file and not about what was to be written.
func ConcernsAll(err error) bool { return HintFor(err) != nil || PrimaryCode(err) == CodeIO }
