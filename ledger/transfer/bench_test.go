package transfer

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

func benchRecord(n int64) ledger.Record {
	key := fmt.Sprint(n)
	address := "row" + key + "@example.com"
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return ledger.Record{Sync: "users", Run: 1, Event: "created", Entry: &ledger.Entry{
		Key: key, ContactID: "k57" + fmt.Sprintf("%029d", n), Email: address, Identity: address,
		Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Example"}, Origin: ledger.OriginCreated,
		Fingerprint: ledger.Fingerprint{Hi: ledger.HashText(key), Lo: 7},
		Memberships: []ledger.Membership{{Topic: "k57topic", Consent: true, State: ledger.MemberAdded, At: now}},
		FirstSeen:   now, ChangedAt: now,
	}}
}

// fill records n entries in large transactions.
func fill(b *testing.B, l ledger.Store, n int64) {
	b.Helper()
	for from := int64(0); from < n; from += 5000 {
		records := make([]ledger.Record, 0, 5000)
		for i := from; i < min(from+5000, n); i++ {
			records = append(records, benchRecord(i))
		}
		put(b, l, records...)
	}
}

func perSecond(b *testing.B, what string, n int64) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), what+"/s")
}

func BenchmarkExport(b *testing.B) {
	l := openFile(b)
	fill(b, l, 100_000)
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		if err := Export(b.Context(), l, io.Discard); err != nil {
			b.Fatal(err)
		}
		n += 100_000
	}
	perSecond(b, "entries", n)
}

func BenchmarkImport(b *testing.B) {
	l := openFile(b)
	fill(b, l, 100_000)
	var export bytes.Buffer
	if err := Export(b.Context(), l, &export); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		if err := Import(b.Context(), openFile(b), bytes.NewReader(export.Bytes())); err != nil {
			b.Fatal(err)
		}
		n += 100_000
	}
	perSecond(b, "entries", n)
}
