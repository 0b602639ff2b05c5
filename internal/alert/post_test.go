package alert

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"owlatsync/internal/config"
	"owlatsync/internal/hooksign"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	wrong = Message{
		ID: "failure-users-1a", Kind: config.AlertFailure, Sync: "users", Run: 7, At: noon, Title: "Sync <users> failed", Text: "Run 7 ended with an error: a & b.",
		Do: "\"owlat-sync check\" tells more.", Link: "https://sync.example.com/api/v1/runs/7",
	}
	over  = Message{ID: wrong.ID, Kind: wrong.Kind, Over: true, Sync: "users", Run: 7, At: noon, Title: "Sync users runs again", Text: "It was so for 2 hours."}
	trial = Test(noon, "")
)

// heard is a server that keeps what it is told, and answers as it is asked to.
type heard struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	header http.Header
	answer string
	got    []*http.Request
	bodies []string
}

func listen(t *testing.T) *heard {
	t.Helper()
	h := &heard{status: http.StatusOK}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.got, h.bodies = append(h.got, r), append(h.bodies, string(body))
		for name, values := range h.header {
			w.Header()[name] = values
		}
		w.WriteHeader(h.status)
		_, _ = io.WriteString(w, h.answer)
	}))
	t.Cleanup(h.Close)
	return h
}

// channel returns the one of an entry of the configuration, whose idle connections end with the test.
func channel(t *testing.T, a config.Alert) Channel {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	a.Name = "team"
	subs, err := Channels([]config.Alert{a}, Means{Agent: "owlat-sync/test", Transport: transport})
	if err != nil || len(subs) != 1 {
		t.Fatal(len(subs), err)
	}
	return subs[0].Channel
}

// TestWhatChannelsSend compares what each channel posts, byte for byte.
func TestWhatChannelsSend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		alert func(url string) config.Alert
		path  string
		want  map[string]Message
	}{
		{"slack", func(u string) config.Alert { return config.Alert{Slack: config.Secret(u + "/services/T1/B1/x")} }, "/services/T1/B1/x", map[string]Message{
			`{"text":"*Sync &lt;users&gt; failed*\nRun 7 ended with an error: a &amp; b.\n*What to do:* \"owlat-sync check\" tells more.\n<https://sync.example.com/api/v1/runs/7|See more>"}`: wrong,
			`{"text":"*Sync users runs again*\nIt was so for 2 hours."}`: over,
		}},
		{"discord", func(u string) config.Alert {
			return config.Alert{Discord: config.Secret(u + "/api/webhooks/1/x?wait=true")}
		}, "/api/webhooks/1/x?wait=true", map[string]Message{
			`{"embeds":[{"title":"Sync <users> failed","description":"Run 7 ended with an error: a & b.","url":"https://sync.example.com/api/v1/runs/7","color":14232864,"timestamp":"2026-03-01T12:00:00Z","fields":[{"name":"What to do","value":"\"owlat-sync check\" tells more."}]}],"allowed_mentions":{"parse":[]}}`: wrong,
			`{"embeds":[{"title":"Sync users runs again","description":"It was so for 2 hours.","color":1540157,"timestamp":"2026-03-01T12:00:00Z"}],"allowed_mentions":{"parse":[]}}`:                                                                                                                                      over,
		}},
		{"ntfy", func(u string) config.Alert {
			return config.Alert{Ntfy: &config.Ntfy{URL: config.Secret(u + "/base/my-topic/"), Token: "tk_1"}}
		}, "/base/", map[string]Message{
			`{"topic":"my-topic","title":"Sync <users> failed","message":"Run 7 ended with an error: a & b.\n\nWhat to do: \"owlat-sync check\" tells more.","priority":4,"tags":["warning"],"click":"https://sync.example.com/api/v1/runs/7"}`: wrong,
			`{"topic":"my-topic","title":"Sync users runs again","message":"It was so for 2 hours.","priority":3,"tags":["white_check_mark"]}`:                                                                                                  over,
			`{"topic":"my-topic","title":"This is a test of owlat-sync","message":"Alerts reach you here.\n\nWhat to do: Nothing: all is well.","priority":3,"tags":["bell"]}`:                                                                  trial,
		}},
		{"webhook", func(u string) config.Alert {
			return config.Alert{Hook: &config.Hook{URL: config.Secret(u + "/hook"), Secret: "whsec_c2VjcmV0"}}
		}, "/hook", map[string]Message{
			`{"id":"failure-users-1a","kind":"failure","over":false,"sync":"users","run":7,"at":"2026-03-01T12:00:00Z","title":"Sync <users> failed","text":"Run 7 ended with an error: a & b.","what_to_do":"\"owlat-sync check\" tells more.","link":"https://sync.example.com/api/v1/runs/7"}`: wrong,
			`{"id":"failure-users-1a","kind":"failure","over":true,"sync":"users","run":7,"at":"2026-03-01T12:00:00Z","title":"Sync users runs again","text":"It was so for 2 hours."}`:                                                                                                           over,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for want, m := range test.want {
				h := listen(t)
				if err := channel(t, test.alert(h.URL)).Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{want + "\n"}, h.bodies); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				r := h.got[0]
				if r.Method != http.MethodPost || r.URL.String() != test.path || r.Header.Get("Content-Type") != "application/json" || r.UserAgent() != "owlat-sync/test" {
					t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
				}
				if token := r.Header.Get("Authorization"); (token == "Bearer tk_1") != (test.name == "ntfy") {
					t.Errorf("authorization %q", token)
				}
				id, at, signature := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), r.Header.Get("Webhook-Signature")
				signed := signature == "v1,"+hooksign.Sign([]byte("secret"), id, at, []byte(h.bodies[0])) && strings.HasPrefix(id, m.ID)
				if signed != (test.name == "webhook") {
					t.Errorf("id %q, time %q, signature %q", id, at, signature)
				}
			}
		})
	}
}

// TestAnswersThatAreNoYes shows what is told of them, without the URL, which is a secret.
func TestAnswersThatAreNoYes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		header http.Header
		answer string
		want   string
		wait   time.Duration
	}{
		{204, nil, "", "", 0},
		{400, nil, "invalid_payload for ada@example.com at https://hooks.example.com/secret", "it answered 400 Bad Request: invalid_payload for … at https://…", 0},
		{404, nil, "no_service", "it answered 404 Not Found: is its URL or token still right?", 0},
		{302, http.Header{"Location": {"https://elsewhere.example.com/"}}, "", "it answered 302 Found; redirects are not followed: set the URL that it leads to", 0},
		{429, http.Header{"Retry-After": {"2.5"}}, "", "it answered 429 Too Many Requests", 2500 * time.Millisecond},
		{429, http.Header{"Retry-After": {"1000000"}}, "", "it answered 429 Too Many Requests", time.Hour},
		{429, http.Header{"Retry-After": {"soon"}}, "", "it answered 429 Too Many Requests", 0},
		{500, nil, strings.Repeat("long ", 10000), "it answered 500 Internal Server Error: long long", 0},
	} {
		h := listen(t)
		h.status, h.header, h.answer = test.status, test.header, test.answer
		err := channel(t, config.Alert{Slack: config.Secret(h.URL + "/services/secret")}).Send(t.Context(), wrong)
		if test.want == "" {
			if err != nil {
				t.Errorf("%d: %v", test.status, err)
			}
			continue
		}
		var wait time.Duration
		if e, ok := err.(*waitError); ok {
			wait = e.wait
		}
		if err == nil || !strings.HasPrefix(err.Error(), "send an alert to Slack at 127.0.0.1: "+test.want) || wait != test.wait || len(err.Error()) > 500 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: waits %s after %v", test.status, wait, err)
		}
		if len(h.got) != 1 {
			t.Errorf("%d: %d requests", test.status, len(h.got))
		}
	}
}

func TestAPlaceThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := listen(t)
	h.Close()
	for name, a := range map[string]config.Alert{
		"Discord": {Discord: config.Secret(h.URL + "/secret")}, "ntfy": {Ntfy: &config.Ntfy{URL: config.Secret(h.URL + "/secret"), Token: "secret"}},
		"the webhook": {Hook: &config.Hook{URL: config.Secret(h.URL + "/secret"), Secret: "secret"}},
	} {
		err := channel(t, a).Send(t.Context(), wrong)
		if err == nil || !strings.HasPrefix(err.Error(), "send an alert to "+name+" at 127.0.0.1: ") || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTopicsOfNtfy(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://ntfy.sh/my-topic": "https://ntfy.sh/ my-topic", "https://n.example.com/base/t/": "https://n.example.com/base/ t", "https://ntfy.sh/": "", "https://ntfy.sh": "", "%": "",
	} {
		server, topic, ok := ntfyTo(address)
		if got := strings.TrimSpace(server + " " + topic); got != want || ok != (want != "") {
			t.Errorf("%s: %q", address, got)
		}
	}
	if _, err := Channels([]config.Alert{{Name: "n", Ntfy: &config.Ntfy{URL: "https://ntfy.sh/"}}}, Means{}); err == nil || !strings.Contains(err.Error(), `the URL of "n" names no topic`) {
		t.Error(err)
	}
}

// TestLongTexts sends what is longer than the chats take.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	long := wrong
	long.Title, long.Text, long.Do = strings.Repeat("ä", 5000), strings.Repeat("€", 50000), strings.Repeat("ß", 5000)
	for name, test := range map[string]struct {
		body any
		most int
	}{"slack": {slackBody(long), 40000}, "discord": {discordBody(long), 6200}, "ntfy": {ntfyBody("t")(long), 4200}} {
		text, err := json.Marshal(test.body)
		if err != nil || len(text) > test.most || strings.Contains(string(text), `\ufffd`) {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

// TestADamagedMemory begins anew, and says so.
func TestADamagedMemory(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/alerts"
	for text, bad := range map[string]bool{"": true, "{": true, "null": false, `{"open": null}`: false, `{"open": {"a": null}, "waiting": [null]}`: false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := load(t.Context(), file(path))
		if (err != nil) != bad || len(m.Open)+len(m.Waiting) != 0 || m.Open == nil {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	}
}
