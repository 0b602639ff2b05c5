package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
)

// makeCursorLedger makes a ledger in step with people 1 to n, of whom those that are to change have contacts.
func makeCursorLedger(ctx context.Context, path string, client *owlat.Client, log io.Writer, n, changed int64) error {
	b := &diffData{folder: filepath.Dir(path), log: log}
	if _, err := b.makeLedger(ctx, filepath.Base(path), int(n)); err != nil {
		return err
	}
	l, err := sqlite.Open(ctx, "sqlite", path)
	if err != nil {
		return err
	}
	var records []ledger.Record
	for id := n / changed; id <= n && err == nil; id += n / changed {
		var record ledger.Record
		record, err = withContact(ctx, client, id)
		records = append(records, record)
	}
	if err == nil {
		err = record(ctx, l, records...)
	}
	return errors.Join(err, l.Close())
}

// withContact creates the contact of person id and returns what the ledger keeps of it.
func withContact(ctx context.Context, client *owlat.Client, id int64) (ledger.Record, error) {
	p := person(id)
	c, err := client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: p.Email.Value, FirstName: &p.Fields[owlatsync.FirstName].Value, LastName: &p.Fields[owlatsync.LastName].Value})
	if err != nil {
		return ledger.Record{}, err
	}
	print, err := diffSync.Fingerprint(&p)
	now := time.Now()
	return ledger.Record{Sync: diffSync.Name, Entry: &ledger.Entry{
		Key: p.Key, ContactID: c.ID, Email: p.Email.Value, Identity: p.Email.Value, Fields: owlatsync.Texts{owlatsync.FirstName: p.Fields[owlatsync.FirstName].Value, owlatsync.LastName: p.Fields[owlatsync.LastName].Value},
		Origin: ledger.OriginCreated, Fingerprint: print, FirstSeen: now, ChangedAt: now,
	}}, err
}
