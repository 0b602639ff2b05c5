package transfer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"

	"owlatsync/ledger"
)

// Store is what Import needs from a ledger.
type Store interface {
	ledger.Clock
	// Load fills an empty ledger, all or nothing, as in ledger.Store.
	Load(ctx context.Context, deployment string, write func(ledger.Loader) error) error
}

// Import reads an export of this version or an earlier one into an empty ledger, all or nothing. A held run becomes superseded,
// because exports have no plans, a queued run cancelled, and a waiting run died. Nothing tells what runs have done since the export, so every entry is made safe (see ledger.SetBack),
// and each sync is set back, as if the ledger had just been noticed to be older than what was done. Import takes the lock as a run does, and fails with a *ledger.LockedError while another holds it.
// Other errors match ledger.ErrNotEmpty, ErrNotExport, ErrNewerExport or ErrDamagedExport, or come from r or the store. Memory does
// not grow with the export if the store streams.
func Import(ctx context.Context, into Store, r io.Reader) error {
	m := &importer{ctx: ctx, clock: into, in: bufio.NewScanner(r), sum: sha256.New()}
	m.in.Buffer(make([]byte, 0, 1<<16), maxLine)
	head, err := m.head()
	if err == nil {
		err = into.Load(ctx, head.Deployment, func(l ledger.Loader) error { return m.load(l, head) })
		if errors.Is(err, ledger.ErrContradiction) && !errors.Is(err, ErrDamagedExport) { // a store may find it only at the end
			err = errContradictory
		}
	}
	if err != nil && !errors.Is(err, ledger.ErrLocked) {
		return fmt.Errorf("import ledger: %w", err)
	}
	return err
}

var errContradictory = fmt.Errorf("%w (a line contradicts one before it)", ErrDamagedExport)

// importer reads one export.
type importer struct {
	ctx   context.Context // the context of the one call of Import
	clock ledger.Clock
	in    *bufio.Scanner
	sum   hash.Hash // of the lines before the last one read
	lines int       // lines read
}

func (m *importer) load(l ledger.Loader, head *headLine) error {
	err := m.lead(l, head)
	if err != nil && m.lines > 1 { // an error of the first line is about the whole file
		err = fmt.Errorf("line %d: %w", m.lines, err)
	}
	return err
}

func (m *importer) lead(l ledger.Loader, head *headLine) error {
	if head.ForgetSecret != "" {
		secret, err := decodeHash(head.ForgetSecret)
		if err != nil {
			return fmt.Errorf("%w (the secret for forgotten addresses cannot be read)", ErrDamagedExport)
		}
		if err := l.SetForgetSecret(secret); err != nil {
			return err
		}
	}
	taker := taker{Loader: l, version: head.Version, now: m.clock.Now(), syncs: make(map[ledger.Text]bool)}
	for {
		line, err := m.next()
		if err != nil {
			return err
		}
		if line.End != nil {
			if err := m.end(line.End); err != nil {
				return err
			}
			return l.SetLastNumber(head.LastNumber)
		}
		if err := taker.take(line); errors.Is(err, ledger.ErrContradiction) {
			return errContradictory
		} else if err != nil {
			return err
		}
	}
}

// scan reads the next line.
func (m *importer) scan() ([]byte, error) {
	if m.ctx.Err() != nil {
		return nil, context.Cause(m.ctx)
	}
	if m.lines > 0 {
		m.sum.Write(m.in.Bytes())
		m.sum.Write([]byte{'\n'})
	}
	more := m.in.Scan()
	switch err := m.in.Err(); { // the error may come together with a line
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%w (a line is longer than %d bytes)", ErrDamagedExport, maxLine)
	case err != nil:
		return nil, fmt.Errorf("read the export: %w", err)
	case !more:
		return nil, io.ErrUnexpectedEOF
	}
	m.lines++
	return m.in.Bytes(), nil
}

func (m *importer) head() (*headLine, error) {
	b, err := m.scan()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrDamagedExport) {
		return nil, ErrNotExport
	}
	if err != nil {
		return nil, err
	}
	var first struct{ Ledger *headLine }
	if err := json.Unmarshal(b, &first); err != nil || first.Ledger == nil || first.Ledger.Version < 1 {
		return nil, ErrNotExport
	}
	if v := first.Ledger.Version; v > version {
		return nil, fmt.Errorf("%w (its version is %d, this program knows up to %d)", ErrNewerExport, v, version)
	}
	return first.Ledger, nil
}

func (m *importer) next() (line, error) {
	var next line
	b, err := m.scan()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return next, fmt.Errorf("%w (its last line is missing)", ErrDamagedExport)
	}
	if err != nil {
		return next, err
	}
	if err := decodeStrictly(b, &next); err != nil {
		return next, damaged(err)
	}
	kinds := 0
	for v, i := reflect.ValueOf(next), 0; i < v.NumField(); i++ {
		if !v.Field(i).IsZero() {
			kinds++
		}
	}
	if kinds != 1 || next.Ledger != nil {
		return next, fmt.Errorf("%w (what a line is about is not clear)", ErrDamagedExport)
	}
	return next, nil
}

func (m *importer) end(end *endLine) error {
	before := m.lines - 1
	if end.Lines != before || end.SHA256 != hex.EncodeToString(m.sum.Sum(nil)) {
		return fmt.Errorf("%w (the lines are not those that were exported)", ErrDamagedExport)
	}
	if _, err := m.scan(); !errors.Is(err, io.ErrUnexpectedEOF) {
		if err == nil {
			err = fmt.Errorf("%w (something follows the last line)", ErrDamagedExport)
		}
		return err
	}
	return nil
}

// decodeStrictly refuses fields that this program does not know, and anything after the value.
func decodeStrictly(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

// damaged tells where a line breaks off, and quotes none of its values.
func damaged(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w (no JSON from byte %d on)", ErrDamagedExport, syntax.Offset)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w (%s is no %s)", ErrDamagedExport, kind.Field, kind.Type)
	}
	return fmt.Errorf("%w (the line cannot be understood)", ErrDamagedExport)
}
