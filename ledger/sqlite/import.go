package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"
	"time"
	"unicode/utf8"

	"owlatsync/ledger"
)

// Why an export is not imported.
var (
	ErrNotEmpty      = errors.New("the ledger holds something already: import into a new file")
	ErrNotExport     = errors.New("this is no export of a ledger: give a file that `owlat-sync ledger export` wrote")
	ErrNewerExport   = errors.New("the export was written by a newer owlat-sync: use that version or a later one")
	ErrDamagedExport = errors.New("the export is damaged or cut short and nothing was imported: take another copy, or export again")
)

// Import reads what Export wrote into a ledger that holds nothing, all or none of it; a run that was held becomes superseded,
// because its plan was not exported. It takes the ledger as a run does and fails with a *ledger.LockedError while another
// holds it. Other errors match ErrNotEmpty, ErrNotExport, ErrNewerExport or ErrDamagedExport, or are those of r or of the file.
// Memory does not grow with the export.
func (l *Ledger) Import(ctx context.Context, r io.Reader) (err error) {
	release, err := l.Acquire(ctx, "import into the ledger")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	return l.update(ctx, "import ledger", durable, func(t *tx) error {
		m := &importer{ctx: ctx, tx: t, in: bufio.NewScanner(r), sum: sha256.New(), now: time.Now()}
		m.in.Buffer(make([]byte, 0, 1<<16), maxLine)
		err := m.run()
		if err != nil && m.lines > 1 { // the first line speaks of the whole
			err = fmt.Errorf("line %d: %w", m.lines, err)
		}
		return err
	})
}

// importer reads one export.
type importer struct {
	ctx   context.Context // of the one call of Import that it lives in
	tx    *tx
	in    *bufio.Scanner
	sum   hash.Hash // of the lines before the last one read
	lines int       // read
	now   time.Time
}

func (m *importer) run() error {
	if err := m.head(); err != nil {
		return err
	}
	for {
		line, err := m.next()
		if err != nil {
			return err
		}
		if end := line.End; end != nil {
			return m.end(end)
		}
		if err := m.add(line); primaryCode(err) == codeConstraint {
			return fmt.Errorf("%w (a line contradicts one before it)", ErrDamagedExport)
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
	switch err := m.in.Err(); { // which may come with what was read before it
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

func (m *importer) next() (exportLine, error) {
	var line exportLine
	b, err := m.scan()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return line, fmt.Errorf("%w (its last line is missing)", ErrDamagedExport)
	}
	if err != nil {
		return line, err
	}
	if err := decodeStrictly(b, &line); err != nil {
		return line, damaged(err)
	}
	kinds := 0
	for v, i := reflect.ValueOf(line), 0; i < v.NumField(); i++ {
		if !v.Field(i).IsZero() {
			kinds++
		}
	}
	if kinds != 1 || line.Ledger != nil {
		return line, fmt.Errorf("%w (what a line is about is not clear)", ErrDamagedExport)
	}
	return line, nil
}

// decodeStrictly tells apart what this program does not know from what is not there.
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

// damaged tells where a line breaks off, and none of its values.
func damaged(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w (no JSON from byte %d on)", ErrDamagedExport, syntax.Offset)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w (%s is no %s)", ErrDamagedExport, kind.Field, kind.Type)
	}
	return fmt.Errorf("%w (the line cannot be understood)", ErrDamagedExport)
}

func (m *importer) head() error {
	b, err := m.scan()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrDamagedExport) {
		return ErrNotExport
	}
	if err != nil {
		return err
	}
	var line struct{ Ledger *exportHead }
	if err := json.Unmarshal(b, &line); err != nil || line.Ledger == nil || line.Ledger.Version < 1 {
		return ErrNotExport
	}
	head := line.Ledger
	if head.Version > exportVersion {
		return fmt.Errorf("%w (its version is %d, this program knows up to %d)", ErrNewerExport, head.Version, exportVersion)
	}
	if err := m.empty(head.Deployment); err != nil {
		return err
	}
	if head.ForgetSecret != "" {
		if _, err := decodeSecret(head.ForgetSecret); err != nil {
			return fmt.Errorf("%w (the secret for forgotten addresses cannot be read)", ErrDamagedExport)
		}
	}
	for name, value := range map[string]string{"deployment": head.Deployment, forgetSecret: head.ForgetSecret} {
		if value == "" {
			continue
		}
		if err := m.tx.exec("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", name, value); err != nil {
			return err
		}
	}
	return nil
}

// empty refuses a ledger that holds anything but being bound to the same deployment.
func (m *importer) empty(deployment string) error {
	var n int
	err := m.tx.row(`SELECT (SELECT count(*) FROM syncs) + (SELECT count(*) FROM opt_outs) + (SELECT count(*) FROM forgotten)
		+ (SELECT count(*) FROM meta WHERE (name, value) <> ('deployment', ?1))`, []any{deployment}, &n)
	if err == nil && n > 0 {
		err = ErrNotEmpty
	}
	return err
}

func (m *importer) end(end *exportEnd) error {
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

func (m *importer) add(line exportLine) error {
	switch {
	case line.Sync != nil:
		return m.sync(line.Sync)
	case line.Run != nil:
		return m.addRun(line.Run)
	case line.Entry != nil:
		return m.entry(line.Entry)
	case line.History != nil:
		return m.history(line.History)
	case line.OptOut != nil:
		return m.optOut(line.OptOut)
	}
	hash, err := hex.DecodeString(line.Forgotten)
	if err != nil || len(hash) != sha256.Size {
		return fmt.Errorf("%w (a hash cannot be read)", ErrDamagedExport)
	}
	return m.tx.exec("INSERT INTO forgotten (hash) VALUES (?1)", hash)
}

func (m *importer) sync(s *exportSync) error {
	id, err := m.syncID(s.Name)
	if err == nil && s.Adopted {
		err = m.tx.exec("UPDATE syncs SET adopted = 1 WHERE id = ?1", id)
	}
	return err
}

func (m *importer) syncID(name text) (int64, error) {
	if name == "" {
		return 0, fmt.Errorf("%w (a sync has no name)", ErrDamagedExport)
	}
	return m.tx.syncID(string(name))
}

func (m *importer) addRun(r *exportRun) error {
	sync, err := m.syncID(r.Sync)
	if err != nil {
		return err
	}
	if r.Status == statusHeld {
		r.Status = ledger.StatusSuperseded
	}
	report, err := encodeReport(r.Report)
	if err != nil {
		return err
	}
	return m.tx.exec(`INSERT INTO runs (id, sync, mode, started, finished, status, message, report)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
		r.ID, sync, r.Mode, timeOrNull(r.Started), timeOrNull(r.Finished), r.Status, string(r.Message), report)
}

func (m *importer) entry(x *exportEntry) error {
	sync, err := m.syncID(x.Sync)
	if err != nil {
		return err
	}
	e := &ledger.Entry{
		Key: string(x.Key), ContactID: string(x.ContactID), Email: string(x.Email), Identity: string(x.Identity),
		FirstName: string(x.FirstName), LastName: string(x.LastName), Origin: ledger.Origin(x.Origin), Memberships: x.Memberships,
		Intent: ledger.Intent{Create: x.Create}, Events: x.Events, Failure: x.Failure, FirstSeen: x.FirstSeen, ChangedAt: x.ChangedAt,
	}
	if x.Fingerprint != "" {
		print, err := hex.DecodeString(x.Fingerprint)
		if err != nil || len(print) != 16 {
			return fmt.Errorf("%w (a fingerprint cannot be read)", ErrDamagedExport)
		}
		e.Fingerprint = ledger.Fingerprint{Hi: binary.BigEndian.Uint64(print), Lo: binary.BigEndian.Uint64(print[8:])}
	}
	if e.Key == "" {
		return fmt.Errorf("%w (an entry has no key)", ErrDamagedExport)
	}
	args, err := encodeEntry(e, m.now)
	if err != nil {
		return err
	}
	return m.tx.putEntry(insertEntry, sync, args, encodeMark(e))
}

func (m *importer) history(h *exportHistory) error {
	sync, err := m.syncID(h.Sync)
	if err != nil {
		return err
	}
	return m.tx.exec(insertHistory, sync, string(h.Key), h.At.UnixMicro(), h.Run, string(h.Event), string(h.Note))
}

func (m *importer) optOut(o *exportOptOut) error {
	if o.ContactID == "" || o.Topic == "" || o.At.IsZero() {
		return fmt.Errorf("%w (an opt-out names no contact, no topic or no time)", ErrDamagedExport)
	}
	return m.tx.exec(insertOptOut, string(o.ContactID), string(o.Topic), o.At.UnixMicro())
}

// MarshalJSON returns a string, or an object for what is no UTF-8.
func (s text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(s)) {
		return json.Marshal(textBytes{[]byte(s)})
	}
	return json.Marshal(string(s))
}

// UnmarshalJSON takes what MarshalJSON returns.
func (s *text) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return json.Unmarshal(b, (*string)(s))
	}
	var raw textBytes
	err := decodeStrictly(b, &raw)
	*s = text(raw.Base64)
	return err
}
