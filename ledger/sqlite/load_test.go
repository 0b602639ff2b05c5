package sqlite

import (
	"errors"
	"fmt"
	"testing"

	"owlatsync/ledger"
)

// pour puts what a ledger holds into another.
func pour(t *testing.T, from, into *Ledger) error {
	t.Helper()
	return from.Snapshot(t.Context(), func(s ledger.Snapshot) error {
		return into.Load(t.Context(), s.Deployment(), func(l ledger.Loader) error {
			var errs []error
			if secret := s.ForgetSecret(); secret != nil {
				errs = append(errs, l.SetForgetSecret(secret))
			}
			for v, err := range s.Syncs() {
				errs = append(errs, err, l.AddSync(v))
			}
			for v, err := range s.Runs() {
				errs = append(errs, err, l.AddRun(v))
			}
			for v, err := range s.Entries() {
				errs = append(errs, err, l.AddEntry(v))
			}
			for v, err := range s.History() {
				errs = append(errs, err, l.AddHistory(v))
			}
			for v, err := range s.OptOuts() {
				errs = append(errs, err, l.AddOptOut(v))
			}
			for v, err := range s.Suppressions() {
				errs = append(errs, err, l.AddSuppression(v))
			}
			for v, err := range s.Forgotten() {
				errs = append(errs, err, l.AddForgotten(v))
			}
			return errors.Join(errs...)
		})
	})
}

// TestALoadedLedgerIsSound loads syncs whose entries took turns.
func TestALoadedLedgerIsSound(t *testing.T) {
	t.Parallel()
	from, into := openFresh(t), openFresh(t)
	live(t, from, "grace@example.com", "Gracenomia", "k57graceful")
	under(t, from, func(k *lock) error {
		var records []ledger.Record
		for i := range 500 {
			for _, sync := range []string{"a", "b", "users"} {
				e := &ledger.Entry{Key: fmt.Sprint(i), Doubt: i%3 == 0, Fingerprint: ledger.Fingerprint{Lo: uint64(i)}}
				records = append(records, ledger.Record{Sync: sync, Entry: e})
			}
		}
		return k.Record(t.Context(), records...)
	})
	if _, err := from.ForgetPerson(t.Context(), "grace@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := pour(t, from, into); err != nil {
		t.Fatal(err)
	}
	mustBeSound(t, into)
	mustHold(t, into, "0-0", "19-39", "499")
}
