package owlattest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestPutBack lets people and the API act on one contact of one address and asks which adds were returns.
func TestPutBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		steps string // separated by blanks, each as in the switch below
		want  string // topics of the returns, in order
	}{
		{"a first add", "create add:news", ""},
		{"an add to another topic", "create add:news unsubscribe:news add:offers", ""},
		{"an add of a member", "create add:news add:news", ""},
		{"a re-add", "create add:news unsubscribe:news add:news", "news"},
		{"told once", "create add:news unsubscribe:news add:news add:news", "news"},
		{"twice", "create add:news unsubscribe:news add:news unsubscribe:news add:news", "news news"},
		{"out of everything", "create add:news opt-out add:news", "news"},
		{"out of everything, another topic", "create add:news opt-out add:offers", "offers"},
		{"out of everything, every topic for itself", "create add:news opt-out add:offers add:news", "offers news"},
		{"out of everything without a membership", "create opt-out add:news", "news"},
		{"removed by the API", "create add:news remove:news add:news", "news"},
		{"erased and made again", "create add:news erase create add:news", "news"},
		{"deleted and made again", "create add:news delete create add:news", "news"},
		{"opted out, deleted and made again", "create opt-out delete create add:news", "news"},
		{"renamed, then deleted: made again with the old address", "create add:news rename delete create add:news", "news"},
		{"renamed, then deleted: made again with the new address", "create add:news rename delete create-new add:news", "news"},
		{"with a new consent", "create add:news unsubscribe:news consent add:news", ""},
		{"a consent is good for one add", "create add:news unsubscribe:news consent add:news unsubscribe:news add:news", "news"},
		{"imported again", "create add:news erase import add:news", "news"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s Server
			key := s.AddKey()
			topics := map[string]string{"news": s.AddTopic("news", false), "offers": s.AddTopic("offers", false)}
			call := func(method, path, body string) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, "http://owlat.example/api/v1"+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+key)
				res, err := s.Transport().RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode > 299 {
					t.Fatalf("%s %s: %s", method, path, res.Status)
				}
			}
			address, consents := "a@example.com", []int(nil)
			for step := range strings.FieldsSeq(tt.steps) {
				what, topic, _ := strings.Cut(step, ":")
				var err error
				switch what {
				case "create":
					address = "a@example.com"
					call("POST", "/contacts", `{"email":"a@example.com"}`)
				case "create-new":
					call("POST", "/contacts", `{"email":"b@example.com"}`)
				case "import":
					_, err = s.AddContact(ContactState{Email: address})
				case "rename":
					call("PUT", "/contacts/"+address, `{"email":"b@example.com"}`)
					address = "b@example.com"
				case "add":
					call("POST", "/topics/"+topics[topic]+"/contacts", fmt.Sprintf(`{"email":%q}`, address))
				case "remove":
					call("DELETE", "/topics/"+topics[topic]+"/contacts/"+address, "")
				case "delete":
					call("DELETE", "/contacts/"+address, "")
				case "unsubscribe":
					err = s.Unsubscribe(address, topic)
				case "opt-out":
					err = s.Unsubscribe(address, "")
				case "erase":
					err = s.SoftDelete(address)
				case "consent":
					consents = append(consents, len(s.History("")))
				default:
					t.Fatalf("unknown step %q", step)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			history := s.History("")
			var got []string
			for _, r := range PutBack(history, func(r Return) bool {
				left := slices.IndexFunc(history, func(e Entry) bool { return e == r.Left })
				return slices.ContainsFunc(consents, func(at int) bool { return at > left })
			}) {
				if r.Added.Action != Added || r.Left.Action == Added {
					t.Errorf("returned %+v", r)
				}
				for name, id := range topics {
					if id == r.Added.TopicID {
						got = append(got, name)
					}
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("put back to %q, want %q", got, tt.want)
			}
		})
	}
}
