package owlattest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	client, server := owlattest.Start(t)
	news := server.AddTopic("News", false)
	ada, err := client.Contacts.Upsert(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Topics.Add(t.Context(), news, owlat.AddMemberRequest{ContactID: ada.ID}); err != nil {
		t.Fatal(err)
	}
	if seen, ok := server.Contact(ada.ID); !ok || len(seen.Topics) != 1 {
		t.Errorf("the server knows %+v", seen)
	}
	for range 30 { // more than Owlat's limit lets pass at once
		if _, err := client.Contacts.Get(t.Context(), ada.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartUnderOwlatsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := owlattest.Start(t, owlat.WithLimiter(owlat.NewAutoLimiter()))
		server.NoLimit = false
		begin := time.Now()
		for range 30 {
			if _, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took < 2*time.Second || server.Stats().RateLimited > 0 {
			t.Errorf("30 requests took %v, %d were refused", took, server.Stats().RateLimited)
		}
	})
}

// told is a test that notes what it is told.
type told struct {
	fatal   string
	cleanup []func()
}

func (*told) Helper()            {}
func (t *told) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }
func (t *told) Fatalf(format string, args ...any) {
	t.fatal = fmt.Sprintf(format, args...)
	panic(t)
}

func TestStartWithABadOptionEndsTheTest(t *testing.T) {
	t.Parallel()
	test := new(told)
	func() {
		defer func() { _ = recover() }()
		owlattest.Start(test, owlat.WithRetries(-1))
	}()
	if !strings.Contains(test.fatal, "is negative") || len(test.cleanup) != 1 {
		t.Errorf("told %q, %d to clean up", test.fatal, len(test.cleanup))
	}
	for _, f := range test.cleanup {
		f()
	}
}
