package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"owlatsync/ledger"
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
		return ledger.ErrBusy
	case codePerm, codeReadOnly, codeCantOpen:
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
