package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"modernc.org/sqlite"

	"owlatsync/ledger"
)

// testNews is what follows from one complaint.
func testNews(name string) ledger.News {
	f := ledger.Feedback{Event: "email.complained", ContactID: name, Email: name + "@example.com", Received: time.Now()}
	copy(f.Hash[:], name)
	return ledger.News{
		Feedback: f, OptOuts: []ledger.OptOut{{ContactID: name, Topic: "topic1", At: f.Received}},
		Suppressions: []ledger.Suppression{{Email: f.Email, Reason: ledger.Complained, At: f.Received}},
		Deliveries:   []ledger.Delivery{{Target: "unsub", Person: name}},
	}
}

// takenIn is the result of a TakeIn.
type takenIn struct {
	isNew bool
	err   error
}

// takeInLater takes in news in a goroutine and gives the result when it is there.
func takeInLater(ctx context.Context, l *Ledger, news ledger.News) <-chan takenIn {
	done := make(chan takenIn, 1)
	go func() {
		took, err := l.TakeIn(ctx, news)
		done <- takenIn{took.New, err}
	}()
	return done
}

// mustHear fails unless the ledger has heard exactly so many news, each whole.
func mustHear(t *testing.T, l *Ledger, n int) {
	t.Helper()
	var feedback, optOuts, suppressions, deliveries int
	err := l.f.Readers.QueryRow(`SELECT (SELECT count(*) FROM feedback), (SELECT count(*) FROM opt_outs), (SELECT count(*) FROM suppressions),
		(SELECT count(*) FROM deliveries)`).Scan(&feedback, &optOuts, &suppressions, &deliveries)
	if err != nil || feedback != n || optOuts != n || suppressions != n || deliveries != n {
		t.Errorf("%d feedbacks, %d opt-outs, %d suppressions, %d deliveries of %d: %v", feedback, optOuts, suppressions, deliveries, n, err)
	}
}

func TestNewsAndRecordsShareATransaction(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "first")
		k := takeLock(t, l)
		commits := 0
		onCommit(t, l, func() bool { commits++; return true })
		l.f.Token() <- struct{}{}
		var taken []<-chan takenIn
		for i := range 30 { // each comes twice
			taken = append(taken, takeInLater(t.Context(), l, testNews(fmt.Sprint(i/2))))
		}
		recorded := recordLater(t.Context(), k, rowRecord("1"))
		delivered := make(chan error, 1)
		go func() { delivered <- l.Delivered(t.Context(), 1, time.Now(), time.Time{}) }()
		synctest.Wait()
		l.f.LeaveWriter()
		isNew := 0
		for _, c := range taken {
			r := <-c
			if r.err != nil {
				t.Error(r.err)
			}
			if r.isNew {
				isNew++
			}
		}
		if err := errors.Join(<-recorded, <-delivered); err != nil {
			t.Error(err)
		}
		if isNew != 15 || commits != 1 {
			t.Errorf("%d are new, %d commits", isNew, commits)
		}
		mustHear(t, l, 15)
		mustHold(t, l, "1")
	})
}

// TestOneBadNewsFailsAlone makes one of several calls that share a transaction too large to be written.
func TestOneBadNewsFailsAlone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "first")
		k := takeLock(t, l)
		const limitLength = 0
		if _, err := sqlite.Limit(l.f.Writer.Conn(), limitLength, 10_000); err != nil {
			t.Fatal(err)
		}
		large := testNews("large")
		large.Deliveries[0].Topic = strings.Repeat("x", 20_000)
		l.f.Token() <- struct{}{}
		good := takeInLater(t.Context(), l, testNews("good"))
		synctest.Wait()
		bad := takeInLater(t.Context(), l, large)
		synctest.Wait()
		recorded, later := recordLater(t.Context(), k, rowRecord("1")), takeInLater(t.Context(), l, testNews("later"))
		synctest.Wait()
		l.f.LeaveWriter()
		for _, r := range []takenIn{<-good, <-later} {
			if r.err != nil || !r.isNew {
				t.Errorf("good news: %+v", r)
			}
		}
		if err := <-recorded; err != nil {
			t.Error(err)
		}
		if r := <-bad; r.err == nil || r.isNew {
			t.Errorf("news too large to be written: %+v", r)
		}
		mustHear(t, l, 2)
		mustHold(t, l, "1")
	})
}

func TestNewsThatAreNotCommittedAreNewAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "first")
		fail := true
		onCommit(t, l, func() bool { return !fail })
		if took, err := l.TakeIn(t.Context(), testNews("1")); err == nil || took.New {
			t.Errorf("acknowledged what was not committed: %v", took.New)
		}
		mustHear(t, l, 0)
		fail = false
		if took, err := l.TakeIn(t.Context(), testNews("1")); err != nil || !took.New {
			t.Errorf("new: %v, %v", took.New, err)
		}
		mustHear(t, l, 1)
	})
}

// TestNewsMakeTheLedgerOlder puts a copy from before in the place of the ledger, after something was heard.
func TestNewsMakeTheLedgerOlder(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	l := openIn(t, folder)
	recordAll(t, l, noes("1"))
	noError(t, l.Close())
	file, backup := l.f.Name(), filepath.Join(elsewhere, "ledger.db")
	copyFile(t, file, backup)
	l = openIn(t, folder)
	if _, err := l.TakeIn(t.Context(), testNews("1")); err != nil {
		t.Fatal(err)
	}
	noError(t, l.Close())
	copyFile(t, backup, file)
	l = openIn(t, folder)
	defer l.Close()
	mustBeSetBack(t, l, true)
}
