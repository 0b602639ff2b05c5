package feedback_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
)

// TestTheEchoOfAnOptOutIsNotWrittenBack: the program opted the person out, because no mail may go to them. What Owlat tells of that is recorded and
// told to nobody; what the person does later is.
func TestTheEchoOfAnOptOutIsNotWrittenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		left := func(contact string) string {
			return envelope("topic.unsubscribed", fmt.Sprintf(`{"contactId":%q,"email":"ada@example.com","unsubscribedAt":%d,"listsRemoved":"[{\"topicId\":\"topic1\",\"topicName\":\"News\"}]"}`,
				contact, time.Now().UnixMilli()))
		}
		now := time.Now()
		if err := s.ledger.Suppress(t.Context(), ledger.Suppression{Email: "contact1", Reason: ledger.NeverMail, At: now, Sent: now, Told: now.Add(time.Second)},
			ledger.Suppression{Email: "contact2", Reason: ledger.NeverMail, At: now}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			contact string
			want    int
			after   time.Duration
		}{{"contact1", 0, time.Minute}, {"contact2", 2, time.Minute}, {"contact1", 2, 24 * time.Hour}} {
			time.Sleep(c.after)
			if status := s.deliver(left(c.contact)); status != 204 {
				t.Fatalf("status %d", status)
			}
			s.mu.Lock()
			if taken := s.told[len(s.told)-1]; taken.Deliveries != c.want || !taken.New {
				t.Errorf("%s after %s: %+v", c.contact, c.after, taken)
			}
			s.mu.Unlock()
		}
		optOuts, err := s.ledger.OptOuts(t.Context(), []string{"contact1"})
		if err != nil || len(optOuts) != 1 {
			t.Errorf("%+v, %v", optOuts, err)
		}
	})
}
