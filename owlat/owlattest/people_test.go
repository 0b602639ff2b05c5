package owlattest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"owlatsync/owlat/owlattest"
)

// people does what people and the dashboard do, and reads what the API hides.
type people interface {
	unsubscribe(t testing.TB, email, topic string)
	confirm(t testing.TB, email string)
	softDelete(t testing.TB, email string)
	deleteTopic(t testing.TB, topic string)
	inspect(t testing.TB, email, id string) *inspected
}

type inspected struct {
	Unsubscribed bool     `json:"unsubscribed"`
	DOIStatus    string   `json:"doiStatus"`
	Topics       []string `json:"topics"`
}

// inGo is people by the methods of the server.
type inGo struct{ s *owlattest.Server }

func (p inGo) unsubscribe(t testing.TB, email, topic string) { must(t, p.s.Unsubscribe(email, topic)) }
func (p inGo) confirm(t testing.TB, email string)            { must(t, p.s.ConfirmDoubleOptIn(email)) }
func (p inGo) softDelete(t testing.TB, email string)         { must(t, p.s.SoftDelete(email)) }
func (p inGo) deleteTopic(t testing.TB, topic string)        { must(t, p.s.DeleteTopic(topic)) }

func (p inGo) inspect(_ testing.TB, email, id string) *inspected {
	c, ok := p.s.Contact(email + id)
	if !ok {
		return nil
	}
	return &inspected{c.Unsubscribed, c.DOIStatus, c.Topics}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// overHTTP is people by the control API.
type overHTTP struct {
	client *http.Client
	base   string
}

func (p overHTTP) post(t testing.TB, path string, body []byte, out any) {
	t.Helper()
	res, err := p.client.Post(p.base+"/__sandbox/"+path, "application/json", bytes.NewReader(body))
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", path, res.StatusCode, answer)
	}
	if out != nil {
		must(t, json.Unmarshal(answer, out))
	}
}

func (p overHTTP) call(t testing.TB, path string, fields map[string]string) {
	t.Helper()
	body, err := json.Marshal(fields)
	must(t, err)
	p.post(t, path, body, nil)
}

func (p overHTTP) unsubscribe(t testing.TB, email, topic string) {
	fields := map[string]string{"email": email}
	if topic != "" {
		fields["topic"] = topic
	}
	p.call(t, "unsubscribe", fields)
}

func (p overHTTP) confirm(t testing.TB, email string) {
	p.call(t, "confirm-double-opt-in", map[string]string{"email": email})
}

func (p overHTTP) softDelete(t testing.TB, email string) {
	p.call(t, "soft-delete", map[string]string{"email": email})
}

func (p overHTTP) deleteTopic(t testing.TB, topic string) {
	p.call(t, "delete-topic", map[string]string{"topic": topic})
}

func (p overHTTP) inspect(t testing.TB, email, id string) *inspected {
	query := url.Values{"email": {email}}
	if id != "" {
		query = url.Values{"id": {id}}
	}
	res, err := p.client.Get(p.base + "/__sandbox/contacts?" + query.Encode())
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	var found []inspected
	must(t, json.NewDecoder(res.Body).Decode(&found))
	if len(found) == 0 {
		return nil
	}
	return &found[0]
}
