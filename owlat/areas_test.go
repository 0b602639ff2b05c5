package owlat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"

	"owlatsync/owlat"
)

func TestTopicMembership(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	ctx := t.Context()
	ada := d.create(t, "ada@example.com", "Ada")
	want := owlat.Membership{ContactID: ada.ID, TopicID: d.topic, DOIStatus: "not_required"}
	for _, m := range []owlat.AddMemberRequest{{Email: "Ada@Example.com"}, {ContactID: ada.ID}, {Email: "ghost@example.com", ContactID: ada.ID}} {
		if got, err := d.client.Topics.Add(ctx, d.topic, m); err != nil || *got != want {
			t.Errorf("add: %+v, %v", got, err)
		}
	}
	doi := d.AddTopic("Product news", true)
	if got, err := d.client.Topics.Add(ctx, doi, owlat.AddMemberRequest{Email: ada.Email}); err != nil || got.DOIStatus != "pending" {
		t.Errorf("add with double opt-in: %+v, %v", got, err)
	}
	for _, want := range []bool{true, false} {
		if removed, err := d.client.Topics.Remove(ctx, d.topic, ada.Email); err != nil || removed != want {
			t.Errorf("remove: %v, %v, want %v", removed, err, want)
		}
	}
	if err := d.DeleteTopic(d.topic); err != nil {
		t.Fatal(err)
	}
	if _, err := d.client.Topics.Add(ctx, d.topic, owlat.AddMemberRequest{Email: ada.Email}); !errors.Is(err, owlat.ErrNotFound) {
		t.Errorf("add to a deleted topic: %v", err)
	}
	if _, err := d.client.Topics.Remove(ctx, doi, "ghost@example.com"); !errors.Is(err, owlat.ErrNotFound) {
		t.Errorf("remove of nobody: %v", err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	event := owlat.SendEventRequest{Email: "ada@example.com", Name: "signed_up", Properties: map[string]any{"plan": "pro", "seats": 3, "trial": false, "coupon": nil}}
	if _, err := d.client.Events.Send(t.Context(), event); !errors.Is(err, owlat.ErrNotFound) {
		t.Errorf("event of nobody: %v", err)
	}
	event.CreateContact = true
	for _, created := range []bool{true, false} {
		got, err := d.client.Events.Send(t.Context(), event)
		if err != nil || got.EventID == "" || got.ContactID == "" || got.EventName != "signed_up" || got.ContactCreated != created {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	event.Name = "1st"
	if _, err := d.client.Events.Send(t.Context(), event); !errors.Is(err, owlat.ErrInvalidInput) {
		t.Errorf("odd name: %v", err)
	}
}

func TestTransactional(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	id := d.AddTemplate("welcome", true, "en", "de")
	d.AddTemplate("draft", false)
	for _, m := range []owlat.SendMessageRequest{
		{Email: "ada@example.com", Slug: "welcome", Language: "de"},
		{Email: "ada@example.com", TransactionalID: id, Attachments: []owlat.Attachment{
			{Filename: "a.txt", Content: []byte("hello"), ContentType: "text/plain"}, {Filename: "b.pdf", URL: "https://files.example/b.pdf"},
		}},
	} {
		got, err := d.client.Transactional.Send(t.Context(), m)
		if err != nil || got.Status != "queued" || got.Email != "ada@example.com" || got.TransactionalEmailID == "" || got.ContactID == "" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if d.Stats().Messages != 2 {
		t.Errorf("%d messages were accepted, want 2", d.Stats().Messages)
	}
	if _, err := d.client.Transactional.Send(t.Context(), owlat.SendMessageRequest{Email: "ada@example.com", Slug: "draft"}); !errors.Is(err, owlat.ErrInvalidState) {
		t.Errorf("unpublished: %v", err)
	}
	d.BlockAddress("blocked@example.com")
	if _, err := d.client.Transactional.Send(t.Context(), owlat.SendMessageRequest{Email: "blocked@example.com", Slug: "welcome"}); !errors.Is(err, owlat.ErrInvalidState) {
		t.Errorf("blocked: %v", err)
	}
}

// TestAttachmentsAtTheLimit sends as much as is allowed.
func TestAttachmentsAtTheLimit(t *testing.T) {
	t.Parallel()
	var got struct {
		Attachments []struct {
			Filename, URL, ContentType string
			Content                    []byte
		}
	}
	client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Error(err)
		}
		return reply(200, `{"data":{"status":"queued"}}`), nil
	}))
	var files []owlat.Attachment
	for i := range owlat.MaxAttachments {
		files = append(files, owlat.Attachment{Filename: fmt.Sprint(i), Content: bytes.Repeat([]byte{byte(i)}, owlat.MaxAttachmentBytes/owlat.MaxAttachments)})
	}
	if _, err := client.Transactional.Send(t.Context(), owlat.SendMessageRequest{Email: "ada@example.com", Slug: "x", Attachments: files}); err != nil {
		t.Fatal(err)
	}
	if len(got.Attachments) != len(files) {
		t.Fatalf("%d attachments arrived", len(got.Attachments))
	}
	for i, f := range got.Attachments {
		if f.Filename != files[i].Filename || !bytes.Equal(f.Content, files[i].Content) {
			t.Errorf("attachment %d is not what was sent", i)
		}
	}
}

func TestBodiesAsOwlatDocumentsThem(t *testing.T) {
	t.Parallel()
	var path, body string
	client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(r.Body)
		path, body = r.URL.EscapedPath()[len(basePath):], string(b)
		return reply(200, `{"data":{"eventId":"e","contactId":"c","status":"queued"}}`), nil
	}), owlat.WithoutLimiter())
	ctx := t.Context()
	check := func(err error, wantPath, wantBody string) {
		t.Helper()
		if err != nil || path != wantPath || !sameJSON(body, wantBody) {
			t.Errorf("%v: sent %s to %s, want %s to %s", err, body, path, wantBody, wantPath)
		}
	}
	_, err := client.Topics.Add(ctx, "t/1", owlat.AddMemberRequest{Email: "a@example.com"})
	check(err, "/api/v1/topics/t%2F1/contacts", `{"email":"a@example.com"}`)
	_, err = client.Topics.Add(ctx, "t1", owlat.AddMemberRequest{Email: "a@example.com", ContactID: "c1"})
	check(err, "/api/v1/topics/t1/contacts", `{"contactId":"c1"}`)
	_, err = client.Events.Send(ctx, owlat.SendEventRequest{Email: "a@example.com", Name: "x"})
	check(err, "/api/v1/events", `{"email":"a@example.com","eventName":"x"}`)
	_, err = client.Events.Send(ctx, owlat.SendEventRequest{Email: "a@example.com", Name: "x", Properties: map[string]any{"n": 1}, CreateContact: true})
	check(err, "/api/v1/events", `{"email":"a@example.com","eventName":"x","eventProperties":{"n":1},"createContactIfNotExists":true}`)
	_, err = client.Transactional.Send(ctx, owlat.SendMessageRequest{Email: "a@example.com", TransactionalID: "t", DataVariables: map[string]any{"n": nil}, Language: "de",
		Attachments: []owlat.Attachment{{Filename: "f", Content: []byte("hi")}}})
	check(err, "/api/v1/transactional", `{"email":"a@example.com","transactionalId":"t","dataVariables":{"n":null},"language":"de","attachments":[{"filename":"f","content":"aGk="}]}`)
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
