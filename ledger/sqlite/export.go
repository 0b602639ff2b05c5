package sqlite

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// exportVersion is the version of the format that Export writes and the latest that Import reads.
const exportVersion = 1

// maxLine is the longest line of an export, so that one which is no export is not read into memory.
const maxLine = 16 << 20

// A line of an export has exactly one of these.
type exportLine struct {
	Ledger    *exportHead    `json:"ledger,omitempty"` // the first line
	Sync      *exportSync    `json:"sync,omitempty"`
	Run       *exportRun     `json:"run,omitempty"`
	Entry     *exportEntry   `json:"entry,omitempty"`
	History   *exportHistory `json:"history,omitempty"`
	OptOut    *exportOptOut  `json:"opt_out,omitempty"`
	Forgotten string         `json:"forgotten,omitempty"` // a hash in hexadecimal
	End       *exportEnd     `json:"end,omitempty"`       // the last line
}

type exportHead struct {
	Version      int       `json:"version"`
	Deployment   string    `json:"deployment,omitempty"`
	Time         time.Time `json:"time"`
	ForgetSecret string    `json:"forget_secret,omitempty"`
}

type exportSync struct {
	Name    text `json:"name"`
	Adopted bool `json:"adopted,omitempty"`
}

type exportRun struct {
	ID       int64             `json:"id"`
	Sync     text              `json:"sync"`
	Mode     string            `json:"mode"`
	Started  time.Time         `json:"started,omitzero"`
	Finished time.Time         `json:"finished,omitzero"`
	Status   string            `json:"status"`
	Message  text              `json:"message,omitempty"`
	Report   *owlatsync.Report `json:"report,omitempty"`
}

type exportEntry struct {
	Sync        text                `json:"sync"`
	Key         text                `json:"key"`
	ContactID   text                `json:"contact,omitempty"`
	Email       text                `json:"email,omitempty"`
	Identity    text                `json:"identity,omitempty"`
	FirstName   text                `json:"first_name,omitempty"`
	LastName    text                `json:"last_name,omitempty"`
	Origin      string              `json:"origin,omitempty"`
	Fingerprint string              `json:"fingerprint,omitempty"` // Hi and Lo in hexadecimal, 16 digits each
	Memberships []ledger.Membership `json:"memberships,omitempty"`
	Create      time.Time           `json:"create,omitzero"`
	Events      []ledger.EventMark  `json:"events,omitempty"`
	Failure     *ledger.Failure     `json:"failure,omitempty"`
	FirstSeen   time.Time           `json:"first_seen,omitzero"`
	ChangedAt   time.Time           `json:"changed,omitzero"`
}

type exportHistory struct {
	Sync  text      `json:"sync"`
	Key   text      `json:"key"`
	At    time.Time `json:"at"`
	Run   int64     `json:"run,omitempty"`
	Event text      `json:"event"`
	Note  text      `json:"note,omitempty"`
}

type exportOptOut struct {
	ContactID text      `json:"contact"`
	Topic     text      `json:"topic"`
	At        time.Time `json:"at"`
}

type exportEnd struct {
	Lines  int    `json:"lines"`  // before this one
	SHA256 string `json:"sha256"` // of those lines, each with its newline
}

// text is a string that may be no UTF-8, which JSON cannot hold: then it is an object with the bytes in base64.
type text string

type textBytes struct {
	Base64 []byte `json:"base64"`
}

// Export writes the ledger as of one instant as lines of JSON: what it is and the deployment it belongs to, its syncs, runs,
// entries, history, opt-outs and forgotten persons, and at last a checksum. Plans are not exported. Other methods may be called
// meanwhile. The export holds the personal data of everybody in the ledger, and the secret under which forgotten addresses
// are hashed: keep it as safe as the ledger. Memory does not grow with the ledger.
func (l *Ledger) Export(ctx context.Context, w io.Writer) error {
	if err := l.export(ctx, w); err != nil {
		return fmt.Errorf("export ledger: %w", explain(ctx, err))
	}
	return nil
}

func (l *Ledger) export(ctx context.Context, w io.Writer) (err error) {
	tx, err := l.streams.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	x := &exporter{ctx: ctx, tx: tx, out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New()}
	for _, write := range []func() error{x.head, x.syncs, x.runs, x.entries, x.history, x.optOuts, x.forgotten, x.end} {
		if err := write(); err != nil {
			return err
		}
	}
	return x.out.Flush()
}

// exporter writes one export.
type exporter struct {
	ctx   context.Context // of the one call of Export that it lives in
	tx    *sql.Tx
	out   *bufio.Writer
	sum   hash.Hash
	lines int
}

func (x *exporter) write(line exportLine) error {
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if b = append(b, '\n'); len(b) > maxLine {
		return fmt.Errorf("an entry needs a line of %d bytes, of which no import reads more than %d", len(b), maxLine)
	}
	x.sum.Write(b)
	x.lines++
	_, err = x.out.Write(b)
	return err
}

func (x *exporter) each(query string, scan func(*sql.Rows) (exportLine, error)) error {
	rows, err := x.tx.QueryContext(x.ctx, query)
	if err != nil {
		return err
	}
	return eachRow(rows, func(rows *sql.Rows) error {
		line, err := scan(rows)
		if err != nil {
			return err
		}
		return x.write(line)
	})
}

func (x *exporter) head() error {
	head := &exportHead{Version: exportVersion, Time: time.Now().UTC()}
	for name, into := range map[string]*string{"deployment": &head.Deployment, forgetSecret: &head.ForgetSecret} {
		err := x.tx.QueryRowContext(x.ctx, "SELECT value FROM meta WHERE name = ?1", name).Scan(into)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return x.write(exportLine{Ledger: head})
}

func (x *exporter) syncs() error {
	return x.each("SELECT name, adopted FROM syncs ORDER BY id", func(rows *sql.Rows) (exportLine, error) {
		s := new(exportSync)
		err := rows.Scan(&s.Name, &s.Adopted)
		return exportLine{Sync: s}, err
	})
}

func (x *exporter) runs() error {
	return x.each("SELECT "+runColumns+" FROM runs r JOIN syncs s ON s.id = r.sync ORDER BY r.id", func(rows *sql.Rows) (exportLine, error) {
		r, err := scanRun(rows)
		return exportLine{Run: &exportRun{
			ID: r.ID, Sync: text(r.Sync), Mode: r.Mode, Started: r.Started, Finished: r.Finished, Status: r.Status,
			Message: text(r.Message), Report: r.Report,
		}}, err
	})
}

func (x *exporter) entries() error {
	return x.each("SELECT s.name, "+entryColumns+` FROM entries e
		JOIN syncs s ON s.id = e.sync ORDER BY e.id`, func(rows *sql.Rows) (exportLine, error) {
		var sync text
		_, e, err := scanEntry(rows, &sync)
		if err != nil {
			return exportLine{}, err
		}
		line := &exportEntry{
			Sync: sync, Key: text(e.Key), ContactID: text(e.ContactID), Email: text(e.Email), Identity: text(e.Identity),
			FirstName: text(e.FirstName), LastName: text(e.LastName), Origin: string(e.Origin), Memberships: e.Memberships,
			Create: e.Intent.Create, Events: e.Events, Failure: e.Failure, FirstSeen: e.FirstSeen, ChangedAt: e.ChangedAt,
		}
		if e.Fingerprint != (ledger.Fingerprint{}) { // a doubt is exported too
			line.Fingerprint = fmt.Sprintf("%016x%016x", e.Fingerprint.Hi, e.Fingerprint.Lo)
		}
		return exportLine{Entry: line}, nil
	})
}

func (x *exporter) history() error {
	return x.each(`SELECT s.name, h.key, h.at, h.run, h.event, h.note FROM history h JOIN syncs s ON s.id = h.sync ORDER BY h.id`,
		func(rows *sql.Rows) (exportLine, error) {
			h := new(exportHistory)
			var at sql.NullInt64
			err := rows.Scan(&h.Sync, &h.Key, &at, &h.Run, &h.Event, &h.Note)
			h.At = timeOf(at)
			return exportLine{History: h}, err
		})
}

func (x *exporter) optOuts() error {
	return x.each("SELECT contact_id, topic, at FROM opt_outs ORDER BY contact_id, topic", func(rows *sql.Rows) (exportLine, error) {
		o, err := scanOptOut(rows)
		return exportLine{OptOut: &exportOptOut{text(o.ContactID), text(o.Topic), o.At}}, err
	})
}

func (x *exporter) forgotten() error {
	return x.each("SELECT hash FROM forgotten ORDER BY hash", func(rows *sql.Rows) (exportLine, error) {
		var hash []byte
		err := rows.Scan(&hash)
		return exportLine{Forgotten: hex.EncodeToString(hash)}, err
	})
}

func (x *exporter) end() error {
	return x.write(exportLine{End: &exportEnd{Lines: x.lines, SHA256: hex.EncodeToString(x.sum.Sum(nil))}})
}
