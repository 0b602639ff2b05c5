package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// makeCursorLedger makes a ledger in step with people 1 to n, of whom those that are to change have contacts.
func makeCursorLedger(ctx context.Context, path string, client *owlat.Client, log io.Writer, n, changed int64) error {
	b := &diffBench{folder: filepath.Dir(path), log: log}
	if _, err := b.makeLedger(ctx, filepath.Base(path), int(n)); err != nil {
		return err
	}
	l, err := ledger.OpenSQLite(ctx, "sqlite", path)
	if err != nil {
		return err
	}
	var records []reconcile.Record
	for id := n / changed; id <= n && err == nil; id += n / changed {
		var record reconcile.Record
		record, err = withContact(ctx, client, id)
		records = append(records, record)
	}
	if err == nil {
		err = l.Record(ctx, records...)
	}
	return errors.Join(err, l.Close())
}

// withContact creates the contact of person id and returns what the ledger keeps of it.
func withContact(ctx context.Context, client *owlat.Client, id int64) (reconcile.Record, error) {
	p := person(id)
	c, err := client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: p.Email.Value, FirstName: &p.FirstName.Value, LastName: &p.LastName.Value})
	if err != nil {
		return reconcile.Record{}, err
	}
	print, err := diffSync.Fingerprint(&p)
	now := time.Now()
	return reconcile.Record{Sync: diffSync.Name, Entry: &reconcile.Entry{
		Key: p.Key, ContactID: c.ID, Email: p.Email.Value, Identity: p.Email.Value, FirstName: p.FirstName.Value, LastName: p.LastName.Value,
		Origin: reconcile.OriginCreated, Fingerprint: print, FirstSeen: now, ChangedAt: now,
	}}, err
}
