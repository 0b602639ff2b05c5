package dbfile

import (
	"context"

	"owlatsync/ledger"
)

// Scour rewrites the file without what was deleted from it, and empties the write-ahead log.
func (f *File) Scour(ctx context.Context) error {
	if err := f.TakeWriter(ctx); err != nil {
		return err
	}
	defer f.LeaveWriter()
	return f.Writer.scour(context.WithoutCancel(ctx))
}

func (w *Writer) scour(ctx context.Context) (err error) {
	if err := w.connect(ctx); err != nil {
		return err
	}
	defer w.drop()                                                                         // drops the changed settings too
	if _, err := w.conn.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL"); err != nil { // takes effect with the new file
		return err
	}
	// The copy goes to a temporary file, or to memory if no file can be created.
	for _, store := range []string{"FILE", "MEMORY"} {
		if _, err := w.conn.ExecContext(ctx, "PRAGMA temp_store = "+store); err != nil {
			return err
		}
		if _, err = w.conn.ExecContext(ctx, "VACUUM"); PrimaryCode(err) != CodeIO && PrimaryCode(err) != CodeCantOpen {
			break
		}
	}
	if err != nil {
		return err
	}
	var busy, frames, moved int
	if err := w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return ledger.ErrBusy
	}
	return nil
}
