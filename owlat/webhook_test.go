package owlat_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
)

const secret = "whsec_kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func delivery(body string, sent time.Time) http.Header {
	h := http.Header{}
	h.Set("X-Signature", sign(secret, body))
	h.Set("X-Timestamp", strconv.FormatInt(sent.Unix(), 10))
	h.Set("X-Webhook-Id", "wh_1")
	return h
}

func TestRecordedSignatures(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		SignatureVectors []struct{ Secret, RawBody, Signature string }
	}
	if err := json.Unmarshal(raw, &recorded); err != nil || len(recorded.SignatureVectors) == 0 {
		t.Fatalf("%d vectors, %v", len(recorded.SignatureVectors), err)
	}
	for i, v := range recorded.SignatureVectors {
		header := owlat.SignWebhook(v.Secret, "wh_1", time.Now(), []byte(v.RawBody))
		if got := header.Get("X-Signature"); got != v.Signature {
			t.Errorf("vector %d: signed %s, want %s", i, got, v.Signature)
		}
		header = delivery("", time.Now())
		header.Set("X-Signature", v.Signature)
		event, err := owlat.VerifyWebhook([]string{v.Secret}, header, []byte(v.RawBody))
		if err != nil || event.Payload == nil || event.Timestamp.Year() != 2026 {
			t.Errorf("vector %d: %+v, %v", i, event, err)
		}
		changed := strings.Replace(v.RawBody, "2026", "2027", 1)
		if _, err := owlat.VerifyWebhook([]string{v.Secret}, header, []byte(changed)); !errors.Is(err, owlat.ErrWebhookSignature) {
			t.Errorf("vector %d with another body: %v", i, err)
		}
		if _, err := owlat.VerifyWebhook([]string{v.Secret + "x"}, header, []byte(v.RawBody)); !errors.Is(err, owlat.ErrWebhookSignature) {
			t.Errorf("vector %d with another secret: %v", i, err)
		}
	}
}

func TestWebhookPayloads(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 7, 43, 7, 41e6, time.UTC)
	envelope := func(event, data string) string {
		return `{"event":"` + event + `","timestamp":"2026-11-23T07:43:07.041Z","data":` + data + `,"new":{"field":[1]}}`
	}
	for _, c := range []struct {
		name, body string
		want       any
		wantErr    error
	}{
		{"unsubscribed", envelope("topic.unsubscribed", `{"contactId":"c1","email":"p@example.com","listsRemoved":"[{\"topicId\":\"t1\",\"topicName\":\"Weekly\",\"x\":1},{\"topicId\":\"t2\",\"topicName\":\"\"}]","unsubscribedAt":1795419787041}`),
			owlat.WebhookTopicUnsubscribedPayload{ContactID: "c1", Email: "p@example.com", UnsubscribedAt: time.UnixMilli(1795419787041), Topics: []owlat.WebhookRemovedTopic{{ID: "t1", Name: "Weekly"}, {ID: "t2"}}}, nil},
		{"unsubscribed from nothing", envelope("topic.unsubscribed", `{"contactId":"c1","email":"","listsRemoved":"[]","unsubscribedAt":1795419787041}`),
			owlat.WebhookTopicUnsubscribedPayload{ContactID: "c1", UnsubscribedAt: time.UnixMilli(1795419787041), Topics: []owlat.WebhookRemovedTopic{}}, nil},
		{"unsubscribed at no time", envelope("topic.unsubscribed", `{"contactId":"c1","email":"p@example.com","listsRemoved":"[]"}`),
			owlat.WebhookTopicUnsubscribedPayload{ContactID: "c1", Email: "p@example.com", UnsubscribedAt: at, Topics: []owlat.WebhookRemovedTopic{}}, nil},
		{"unsubscribed in 1970", envelope("topic.unsubscribed", `{"contactId":"c1","email":"p@example.com","listsRemoved":"[]","unsubscribedAt":0}`),
			owlat.WebhookTopicUnsubscribedPayload{ContactID: "c1", Email: "p@example.com", UnsubscribedAt: at, Topics: []owlat.WebhookRemovedTopic{}}, nil},
		{"nobody unsubscribed", envelope("topic.unsubscribed", `{"email":"p@example.com","listsRemoved":"[]","unsubscribedAt":1795419787041}`), nil, owlat.ErrWebhookPayload},
		{"created", envelope("contact.created", `{"contactId":"c1","email":"P@Example.com","source":"form","timestamp":"2026-11-23T07:43:07.041Z","more":true}`),
			owlat.WebhookContactCreatedPayload{ContactID: "c1", Email: "P@Example.com", Source: "form", Timestamp: at}, nil},
		{"bounced", envelope("email.bounced", `{"email":"p@example.com","bounceType":"hard","message":"no such user","timestamp":"2026-11-23T07:43:07.041Z"}`),
			owlat.WebhookEmailBouncedPayload{Email: "p@example.com", BounceType: "hard", Message: "no such user", Timestamp: at}, nil},
		{"complained", envelope("email.complained", `{"email":"p@example.com","timestamp":"2026-11-23T07:43:07.041Z"}`),
			owlat.WebhookEmailComplainedPayload{Email: "p@example.com", Timestamp: at}, nil},
		{"unknown event", envelope("email.teleported", `{"a":1}`), nil, nil},
		{"test", envelope("test", `{}`), nil, nil},
		{"no JSON", `p@example.com`, nil, owlat.ErrWebhookPayload},
		{"empty", ``, nil, owlat.ErrWebhookPayload},
		{"array", `[]`, nil, owlat.ErrWebhookPayload},
		{"no event", `{"timestamp":"2026-11-23T07:43:07.041Z","data":{}}`, nil, owlat.ErrWebhookPayload},
		{"no data", `{"event":"contact.created","timestamp":"2026-11-23T07:43:07.041Z"}`, nil, owlat.ErrWebhookPayload},
		{"null data", envelope("contact.created", `null`), nil, owlat.ErrWebhookPayload},
		{"data of another kind", envelope("email.bounced", `"p@example.com"`), nil, owlat.ErrWebhookPayload},
		{"list that is no JSON", envelope("topic.unsubscribed", `{"listsRemoved":"p@example.com"}`), nil, owlat.ErrWebhookPayload},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			event, err := owlat.VerifyWebhook([]string{secret}, delivery(c.body, time.Now()), []byte(c.body))
			if !errors.Is(err, c.wantErr) {
				t.Fatalf("got %v, want %v", err, c.wantErr)
			}
			if err != nil {
				if event != nil || strings.Contains(err.Error(), "p@") {
					t.Errorf("got %+v, %v", event, err)
				}
				return
			}
			if !reflect.DeepEqual(event.Payload, c.want) || !event.Timestamp.Equal(at) || event.WebhookID != "wh_1" || len(event.Data) == 0 {
				t.Errorf("got %+v", event)
			}
		})
	}
}

func TestWebhookAge(t *testing.T) {
	t.Parallel()
	const body = `{"event":"test","timestamp":"2026-11-23T07:43:07.041Z","data":{}}`
	for _, c := range []struct {
		name string
		away time.Duration
		opts []owlat.WebhookOption
		ok   bool
	}{
		{"now", 0, nil, true},
		{"five minutes ago", -5 * time.Minute, nil, true},
		{"more than five minutes ago", -5*time.Minute - time.Second, nil, false},
		{"five minutes ahead", 5 * time.Minute, nil, true},
		{"more than five minutes ahead", 5*time.Minute + time.Second, nil, false},
		{"within a given tolerance", -time.Hour, []owlat.WebhookOption{owlat.WithWebhookTolerance(time.Hour)}, true},
		{"beyond a given tolerance", -2 * time.Second, []owlat.WebhookOption{owlat.WithWebhookTolerance(time.Second)}, false},
		{"not checked", -1000 * time.Hour, []owlat.WebhookOption{owlat.WithWebhookTolerance(0)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sent := time.Now().Add(c.away)
				event, err := owlat.VerifyWebhook([]string{secret}, delivery(body, sent), []byte(body), c.opts...)
				if c.ok && (err != nil || !event.SentAt.Equal(sent)) || !c.ok && !errors.Is(err, owlat.ErrWebhookTime) {
					t.Errorf("got %+v, %v", event, err)
				}
			})
		})
	}
}

func TestWebhookHeaders(t *testing.T) {
	t.Parallel()
	const body = `{"event":"test","timestamp":"2026-11-23T07:43:07.041Z","data":{}}`
	good := sign(secret, body)
	for name, signature := range map[string]string{
		"missing": "", "no hex": "zz", "too short": good[:32], "too long": good + "00", "prefixed": "sha256=" + good, "odd length": good[1:],
		"another": strings.Repeat("0", 64),
	} {
		header := delivery(body, time.Now())
		header.Set("X-Signature", signature)
		if _, err := owlat.VerifyWebhook([]string{secret}, header, []byte(body)); !errors.Is(err, owlat.ErrWebhookSignature) {
			t.Errorf("signature %s: %v", name, err)
		}
	}
	for _, stamp := range []string{"", "now", "1e9", "99999999999999999999", "-9223372036854775808"} {
		header := delivery(body, time.Now())
		header.Set("X-Timestamp", stamp)
		if _, err := owlat.VerifyWebhook([]string{secret}, header, []byte(body)); !errors.Is(err, owlat.ErrWebhookTime) {
			t.Errorf("timestamp %q: %v", stamp, err)
		}
	}
	if _, err := owlat.VerifyWebhook([]string{""}, http.Header{"X-Signature": {sign("", body)}}, []byte(body)); err == nil {
		t.Error("an empty secret was accepted")
	}
}

// FuzzVerifyWebhook checks that nothing unsigned passes, and that what is signed is either read or refused as unreadable.
func FuzzVerifyWebhook(f *testing.F) {
	raw, err := os.ReadFile("testdata/webhooks.json")
	if err != nil {
		f.Fatal(err)
	}
	var recorded struct {
		SignatureVectors []struct{ RawBody, Signature string }
	}
	if err := json.Unmarshal(raw, &recorded); err != nil {
		f.Fatal(err)
	}
	for _, v := range recorded.SignatureVectors {
		f.Add([]byte(v.RawBody), v.Signature)
	}
	f.Add([]byte(`{"event":"email.bounced","data":{"email":"p@example.com"}}`), "00")
	f.Add([]byte(`{"event":"topic.unsubscribed","data":{"listsRemoved":"[","unsubscribedAt":1e300}}`), "")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		header := delivery(string(body), time.Now())
		good := header.Get("X-Signature")
		event, err := owlat.VerifyWebhook([]string{secret}, header, body)
		if (event == nil) == (err == nil) || err != nil && !errors.Is(err, owlat.ErrWebhookPayload) {
			t.Errorf("signed: %+v, %v", event, err)
		}
		header.Set("X-Signature", signature)
		if _, err := owlat.VerifyWebhook([]string{secret}, header, body); !strings.EqualFold(signature, good) && !errors.Is(err, owlat.ErrWebhookSignature) {
			t.Errorf("signature %q: %v", signature, err)
		}
	})
}
