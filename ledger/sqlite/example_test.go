package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the program chooses the driver

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
)

func ExampleOpen() {
	folder, err := os.MkdirTemp("", "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	ctx := context.Background()
	l, err := sqlite.Open(ctx, "sqlite", filepath.Join(folder, "owlat-sync.db"))
	if errors.Is(err, ledger.ErrNewer) {
		fmt.Println("this program is too old for the ledger")
		return
	} else if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()

	lock, err := l.Acquire(ctx, ledger.Claim{Purpose: "an example", Deployment: "https://owlat.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Release()
	err = lock.Record(ctx, ledger.Record{
		Sync:  "users",
		Event: "created",
		Entry: &ledger.Entry{
			Key: "17", ContactID: "k57a", Email: "ada@example.com", Identity: "ada@example.com", Origin: ledger.OriginCreated,
			Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	holders, err := l.Holders(ctx, []string{"ada@example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range holders {
		fmt.Printf("%s is %s of %s\n", h.Entry.Email, h.Entry.Key, h.Sync)
	}
	// Output: ada@example.com is 17 of users
}
