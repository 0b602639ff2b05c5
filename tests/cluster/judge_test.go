package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// at returns a time some seconds into a story.
func at(seconds float64) time.Time {
	return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func hook(event, contact, email, more string, acked float64) Hook {
	return Hook{Body: fmt.Sprintf(`{"event":%q,"data":{"contactId":%q,"email":%q%s}}`, event, contact, email, more), Acked: at(acked)}
}

func leaves(contact, email string, second float64, acked float64) Hook {
	return hook("topic.unsubscribed", contact, email, fmt.Sprintf(`,"unsubscribedAt":%d,"listsRemoved":"[{\"topicId\":\"news\"}]"`, at(second).UnixMilli()), acked)
}

// story is a short life without a fault: node 1 makes two contacts, and is killed; node 2 takes over after 9 seconds. Ann leaves and comes
// back by her own word, and Bob's mail bounces.
func story() *Evidence {
	entry := func(second float64, contact, topic string, action owlattest.Action, by owlattest.Actor) owlattest.Entry {
		return owlattest.Entry{Time: at(second), ContactID: contact, Email: contact + "@x.example.com", TopicID: topic, Action: action, By: by}
	}
	request := func(node int, second float64, method, path, event string) Request {
		return Request{Node: node, At: at(second), Ended: at(second), Method: method, Path: path, Status: 201, Event: event}
	}
	a := &Account{
		Name: "acme", Rate: 10, Burst: 15,
		Requests: []Request{
			request(1, 1, "POST", "/api/v1/contacts", ""), request(1, 1.1, "POST", "/api/v1/topics/news/contacts", ""), request(1, 1.2, "POST", "/api/v1/events", "met ann"),
			request(1, 1.3, "POST", "/api/v1/contacts", ""), request(1, 1.4, "POST", "/api/v1/topics/news/contacts", ""),
			request(2, 20, "POST", "/api/v1/topics/news/contacts", ""),
		},
		History: []owlattest.Entry{
			entry(1, "ann", "", owlattest.Created, owlattest.ByAPI), entry(1.1, "ann", "news", owlattest.Added, owlattest.ByAPI),
			entry(1.3, "bob", "", owlattest.Created, owlattest.ByAPI), entry(1.4, "bob", "news", owlattest.Added, owlattest.ByAPI),
			entry(5, "ann", "news", owlattest.Unsubscribed, owlattest.ByPerson), entry(20, "ann", "news", owlattest.Added, owlattest.ByAPI),
		},
		Contacts: []owlattest.ContactState{
			{ID: "ann", Email: "ann@x.example.com", FirstName: "Ann", LastName: "N1", Topics: []string{"news"}},
			{ID: "bob", Email: "bob@x.example.com", FirstName: "Bob", LastName: "N2", Topics: []string{"news"}},
		},
		Hooks: []Hook{leaves("ann", "ann@x.example.com", 5, 5.2), hook("email.bounced", "", "bob@x.example.com", `,"bounceType":"hard"`, 6)},
		Heard: []Heard{{"topic.unsubscribed", "ann@x.example.com", "ann"}, {"email.bounced", "bob@x.example.com", ""}},
		Syncs: []Rows{{
			Sync: "users", Topic: "news",
			Rows: []Row{
				{Key: "1", Addresses: []string{"ann@x.example.com"}, Name: "Ann N1", Yes: true, Returned: true},
				{Key: "2", Addresses: []string{"bob@x.example.com"}, Name: "Bob N2", Yes: true},
			},
			Words:   []Word{{"1", Span{at(0), at(0.1)}}, {"2", Span{at(0), at(0.1)}}, {"1", Span{at(18), at(18.1)}}},
			Written: []Written{{"ann@x.example.com", at(5.5)}},
		}},
		Runs: []Run{
			{ID: 1, Sync: "users", Status: "died", Epoch: 1, From: at(1), To: at(2), Balanced: true},
			{ID: 2, Sync: "users", Status: "ok", Epoch: 2, From: at(19), To: at(21), Balanced: true},
		},
	}
	for _, r := range a.Requests {
		a.Log = append(a.Log, owlattest.Arrival{Time: r.At, Method: r.Method, Route: owlattest.RouteContacts, Status: r.Status})
	}
	return &Evidence{
		Accounts: []*Account{a},
		Leases: []Lease{
			{Deployment: "acme", Kind: "home", Epoch: 1, Node: 1, Span: Span{at(0), at(19)}},
			{Deployment: "acme", Kind: "home", Epoch: 2, Node: 2, Span: Span{From: at(19)}},
		},
		Troubles: []Trouble{{Kind: Killed, Node: 1, Span: Span{at(10), at(40)}}},
		Logs:     map[int]string{1: "all is well", 2: "all is well"},
		Secrets:  []string{"s3cret"},
	}
}

// TestTheJudgeForgivesWhatAFailoverLost has a node take a home of which the server that takes over knows nothing.
func TestTheJudgeForgivesWhatAFailoverLost(t *testing.T) {
	t.Parallel()
	e := story()
	a := e.Accounts[0]
	e.Leases[1].To, a.Lost = at(40), []Span{{at(50), at(50.1)}}
	a.Requests = append(a.Requests, Request{Node: 1, At: at(52), Method: "PUT", Path: "/api/v1/contacts/ann"})
	if found := Judge(e); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

// thawed has node 1 frozen in place of killed, from where it had its home until another does, and send so many requests as soon as it
// goes on.
func thawed(e *Evidence, requests int, after float64) {
	e.Troubles[0] = Trouble{Kind: Frozen, Node: 1, Span: Span{at(10), at(40)}}
	for n := range requests {
		e.Accounts[0].Requests = append(e.Accounts[0].Requests, Request{Node: 1, At: at(40 + after + float64(n)/100), Method: "PUT", Path: "/api/v1/contacts/ann"})
	}
}

// TestTheJudgeForgivesWhatWasBegunBeforeAFreeze has a node send as many requests when it goes on as the budget lets through at once: it had looked at its lease before each.
func TestTheJudgeForgivesWhatWasBegunBeforeAFreeze(t *testing.T) {
	t.Parallel()
	e := story()
	thawed(e, owlat.DefaultBurst, 0.1)
	if found := Judge(e); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

// TestTheJudgeForgivesWhatNobodyKnows has a row whose add was never answered, of which the program says so.
func TestTheJudgeForgivesWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	e := story()
	a := e.Accounts[0]
	a.Contacts[0].Topics, a.Unsure = nil, map[Place]bool{{"users", "1"}: true}
	if found := Judge(e); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

// TestTheJudgeSees plants each fault into a story without one.
func TestTheJudgeSees(t *testing.T) {
	t.Parallel()
	if found := Judge(story()); len(found) > 0 {
		t.Fatalf("the judge finds fault with a story that has none: %q", found)
	}
	for _, planted := range []struct {
		fault string
		plant func(*Evidence, *Account)
		sees  string
	}{
		{"Owlat refuses a request", func(_ *Evidence, a *Account) { a.Log[2].Status = 429 }, "the budget was exceeded"},
		{"two buckets are used", func(_ *Evidence, a *Account) {
			for n := range 40 { // 20 a second
				a.Log = append(a.Log, owlattest.Arrival{Time: at(30 + float64(n)/20), Route: owlattest.RouteContacts, Status: 200})
			}
		}, "above the bucket"},
		{"somebody is put back without a word", func(_ *Evidence, a *Account) { a.Syncs[0].Words = a.Syncs[0].Words[:2] }, "put back"},
		{"a yes from before an acknowledged opt-out is acted on after it", func(_ *Evidence, a *Account) {
			a.Syncs[0].Words[2].Span = Span{at(4), at(4.1)}
		}, "although an opt-out"},
		{"a suppression is not heeded", func(_ *Evidence, a *Account) {
			e := a.History[3]
			e.Time = at(20)
			a.History = append(a.History, e)
		}, "although a suppression"},
		{"an event comes twice", func(_ *Evidence, a *Account) { a.Requests[5].Event = "met ann" }, "came twice"},
		{"an event of unknown outcome comes again", func(_ *Evidence, a *Account) {
			a.Requests[2].Status = 0
			a.Requests[5].Event = "met ann"
		}, "came twice"},
		{"an acknowledged webhook is lost", func(_ *Evidence, a *Account) { a.Heard = a.Heard[1:] }, "is not in the ledger"},
		{"an acknowledged opt-out is not written back", func(_ *Evidence, a *Account) { a.Syncs[0].Written = nil }, "never written back"},
		{"a confirmed contact is lost", func(_ *Evidence, a *Account) { a.Made = []string{"otto@x.example.com"} }, "confirmed to an outsider"},
		{"a write-back waits for ever", func(_ *Evidence, a *Account) { a.Waiting = 1 }, "still not done"},
		{"a row is not in Owlat", func(_ *Evidence, a *Account) { a.Contacts = a.Contacts[:1] }, "is not in Owlat"},
		{"a name is old", func(_ *Evidence, a *Account) { a.Contacts[0].LastName = "N0" }, "in the source and"},
		{"a no is not applied", func(_ *Evidence, a *Account) { a.Syncs[0].Rows[1].Yes = false }, "the row says no"},
		{"a row that has left is on the topic", func(_ *Evidence, a *Account) { a.Syncs[0].Rows[1].Gone = true }, "the row has left"},
		{"who comes back is not added", func(_ *Evidence, a *Account) { a.Contacts[0].Topics = nil }, "the row says yes"},
		{"a contact is made twice", func(_ *Evidence, a *Account) { a.Contacts = append(a.Contacts, a.Contacts[1]) }, "two contacts"},
		{"somebody is on a topic for nobody", func(_ *Evidence, a *Account) {
			a.Contacts = append(a.Contacts, owlattest.ContactState{ID: "eve", Email: "eve@x.example.com", Topics: []string{"news"}})
		}, "without a row"},
		{"writes go on", func(_ *Evidence, a *Account) { a.Quiet = 1 }, "nothing had changed"},
		{"two runs of a sync overlap", func(_ *Evidence, a *Account) { a.Runs[0].To = at(19.5) }, "before run 1 had ended"},
		{"outcomes do not add up", func(_ *Evidence, a *Account) { a.Runs[1].Balanced = false }, "do not add up"},
		{"a node without fencing goes on", func(_ *Evidence, a *Account) {
			a.Requests = append(a.Requests, Request{Node: 1, At: at(25), Method: "PUT", Path: "/api/v1/contacts/ann"})
		}, "without the right to"},
		{"a node that was frozen goes on", func(e *Evidence, _ *Account) { thawed(e, owlat.DefaultBurst+1, 0.1) }, "without the right to"},
		{"a node that was frozen looks at no lease", func(e *Evidence, _ *Account) { thawed(e, 1, 1.5) }, "without the right to"},
		{"a node that was frozen had no home then", func(e *Evidence, _ *Account) {
			e.Leases[0].To, e.Leases[1].From = at(9), at(9)
			thawed(e, 1, 0.1)
		}, "without the right to"},
		{"a node goes on although no lease of its was lost", func(_ *Evidence, a *Account) {
			a.Lost = []Span{{at(50), at(50.1)}}
			a.Requests = append(a.Requests, Request{Node: 1, At: at(52), Method: "PUT", Path: "/api/v1/contacts/ann"})
		}, "without the right to"},
		{"a node relies on a lost lease for too long", func(e *Evidence, a *Account) {
			e.Leases[1].To, a.Lost = at(40), []Span{{at(50), at(50.1)}}
			a.Requests = append(a.Requests, Request{Node: 1, At: at(60), Method: "PUT", Path: "/api/v1/contacts/ann"})
		}, "without the right to"},
		{"two rely on lost leases", func(e *Evidence, a *Account) {
			e.Leases[1].To, a.Lost = at(40), []Span{{at(50), at(50.1)}}
			for n := range 2 {
				a.Requests = append(a.Requests, Request{Node: 1 + n, At: at(52 + float64(n)), Method: "PUT", Path: "/api/v1/contacts/ann"})
			}
		}, "without the right to"},
		{"more is unsure than can be", func(_ *Evidence, a *Account) {
			a.Contacts[1].Topics, a.Unsure = nil, make(map[Place]bool)
			for n := range unsureOfEach + 1 {
				a.Unsure[Place{"users", fmt.Sprint(n)}] = true
			}
		}, "are unsure after 1 troubles"},
		{"two nodes have one home", func(e *Evidence, _ *Account) { e.Leases[0].To = at(20) }, "while node 1 had it"},
		{"an epoch comes again", func(e *Evidence, _ *Account) { e.Leases[1].Epoch = 1 }, "not above"},
		{"nobody takes over in time", func(_ *Evidence, a *Account) { a.Requests[5].At = at(26) }, "nobody else sent anything"},
		{"nobody takes over in time, and the node is back soon after", func(e *Evidence, a *Account) {
			e.Troubles[0].To, a.Requests[5].At = at(25.3), at(25.2)
		}, "nobody else sent anything"},
		{"nobody takes over at all", func(_ *Evidence, a *Account) { a.Requests = a.Requests[:5] }, "nobody else sent anything"},
		{"a log names somebody", func(e *Evidence, _ *Account) { e.Logs[1] = "ann@x.example.com left" }, "names a person"},
		{"a log names a secret", func(e *Evidence, _ *Account) { e.Logs[2] = "with s3cret" }, "names a secret"},
		{"a race is found", func(e *Evidence, _ *Account) { e.Logs[2] = "WARNING: DATA RACE" }, "DATA RACE"},
		{"a node panics", func(e *Evidence, _ *Account) { e.Logs[2] = "panic: oh" }, "panic"},
	} {
		t.Run(planted.fault, func(t *testing.T) {
			t.Parallel()
			e := story()
			planted.plant(e, e.Accounts[0])
			if found := strings.Join(Judge(e), "\n"); !strings.Contains(found, planted.sees) {
				t.Errorf("the judge does not see it, but %q", found)
			}
		})
	}
}
