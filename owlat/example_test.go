package owlat_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	_ "modernc.org/sqlite"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func Example() {
	ctx := context.Background()
	deployment := &owlattest.Server{} // stands in for a real one in this example
	key := deployment.AddKey()

	client, err := owlat.NewClient("https://owlat.example", key, owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	contact, err := client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "Ada@Example.com", FirstName: new("Ada")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(contact.Email, contact.FirstName)
	// Output: ada@example.com Ada
}

// Upsert one contact: it is created the first time and updated from then on.
func ExampleContacts_Upsert() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	for _, name := range []string{"Ada", "Augusta"} {
		result, err := client.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: "ada@example.com", FirstName: new(name)})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Email, result.FirstName, "created:", result.Created)
	}
	// Output:
	// ada@example.com Ada created: true
	// ada@example.com Augusta created: false
}

// Sync many contacts: every input has its result, and a failure stops no other.
func ExampleContacts_UpsertBatch() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	users := []owlat.CreateContactRequest{
		{Email: "ada@example.com", FirstName: new("Ada")},
		{Email: "not an address"},
		{Email: "grace@example.com", FirstName: new("Grace")},
	}
	for i, result := range client.Contacts.UpsertBatch(ctx, users) {
		if result.Err != nil {
			fmt.Println("user", i, "failed:", result.Err)
			continue
		}
		fmt.Println("user", i, "is", result.Value.Email)
	}
	// Output:
	// user 0 is ada@example.com
	// user 1 failed: owlat: POST /contacts: 400 invalid_input: Invalid email format
	// user 2 is grace@example.com
}

// Add a contact to a topic, whose id is shown in Owlat's dashboard.
func ExampleTopics_Add() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	newsletter := deployment.AddTopic("Newsletter", false)
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	contact, err := client.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	membership, err := client.Topics.Add(ctx, newsletter, owlat.AddMemberRequest{ContactID: contact.ID})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("double opt-in:", membership.DOIStatus)

	held, _ := deployment.Contact("ada@example.com")
	fmt.Println("on the newsletter:", len(held.Topics) == 1 && held.Topics[0] == newsletter)
	// Output:
	// double opt-in: not_required
	// on the newsletter: true
}

// Add many contacts to a topic.
func ExampleTopics_AddBatch() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	newsletter := deployment.AddTopic("Newsletter", false)
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	if _, err := client.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: "ada@example.com"}); err != nil {
		log.Fatal(err)
	}
	members := []owlat.AddMemberRequest{{Email: "ada@example.com"}, {Email: "nobody@example.com"}}
	for i, result := range client.Topics.AddBatch(ctx, newsletter, members) {
		switch {
		case errors.Is(result.Err, owlat.ErrNotFound):
			fmt.Println("member", i, "is no contact")
		case result.Err != nil:
			log.Fatal(result.Err)
		default:
			fmt.Println("member", i, "added")
		}
	}
	// Output:
	// member 0 added
	// member 1 is no contact
}

// Sync a whole table: its users become contacts, and those who want the newsletter its members. The program owlat-sync
// does the same and remembers, so that a second run sends only what changed and nobody who left is put back.
func Example_syncDatabase() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	newsletter := deployment.AddTopic("Newsletter", false)
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a database in memory of its own
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, first_name TEXT, newsletter BOOLEAN, verified BOOLEAN);
		INSERT INTO users (email, first_name, newsletter, verified) VALUES
			('ada@example.com', 'Ada', TRUE, TRUE),
			('grace@example.com', NULL, FALSE, TRUE),
			('spam@example.com', 'Spam', TRUE, FALSE)`); err != nil {
		log.Fatal(err)
	}

	var users []owlat.CreateContactRequest
	var wants []bool
	rows, err := db.QueryContext(ctx, "SELECT email, first_name, newsletter FROM users WHERE verified ORDER BY id")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var user owlat.CreateContactRequest // its FirstName stays nil, and so what Owlat has, where the column is NULL
		var newsletter bool
		if err := rows.Scan(&user.Email, &user.FirstName, &newsletter); err != nil {
			log.Fatal(err)
		}
		users = append(users, user)
		wants = append(wants, newsletter)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}

	var members []owlat.AddMemberRequest
	for i, result := range client.Contacts.UpsertBatch(ctx, users) {
		if result.Err != nil {
			fmt.Println("user", i, "failed:", result.Err)
			continue
		}
		// Only new contacts: a contact that was there before may have left the topic.
		if wants[i] && result.Value.Created {
			members = append(members, owlat.AddMemberRequest{ContactID: result.Value.ID})
		}
	}
	for i, result := range client.Topics.AddBatch(ctx, newsletter, members) {
		if result.Err != nil {
			fmt.Println("member", i, "failed:", result.Err)
		}
	}

	for _, user := range users {
		held, _ := deployment.Contact(user.Email)
		fmt.Println(held.Email, "newsletter:", len(held.Topics) == 1)
	}
	fmt.Println(deployment.Len(), "contacts")
	// Output:
	// ada@example.com newsletter: true
	// grace@example.com newsletter: false
	// 2 contacts
}

// Iterate over all contacts of the deployment, newest first.
func ExampleContacts_All() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	deployment.Seed(250, "user")

	read := 0
	for contact, err := range client.Contacts.All(context.Background(), owlat.ListContactsRequest{}) {
		if err != nil {
			log.Fatal(err)
		}
		if read == 0 {
			fmt.Println("the newest is", contact.Email)
		}
		read++
	}
	fmt.Println(read, "contacts")
	// Output:
	// the newest is user250@seed.example
	// 250 contacts
}

// Leave a field, set one and empty one.
func ExampleContacts_Update() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	made, err := client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "ada@example.com", FirstName: new("Ada"), LastName: new("Byron")})
	if err != nil {
		log.Fatal(err)
	}
	contact, err := client.Contacts.Update(ctx, made.ID, owlat.UpdateContactRequest{
		Email:    new("lovelace@example.com"), // set
		LastName: new(""),                     // empty
	}) // FirstName is nil and stays
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %q %q\n", contact.Email, contact.FirstName, contact.LastName)
	// Output: lovelace@example.com "Ada" ""
}

// Tell an automation that something happened.
func ExampleEvents_Send() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}

	result, err := client.Events.Send(context.Background(), owlat.SendEventRequest{
		Email:         "ada@example.com",
		Name:          "plan_changed",
		Properties:    map[string]any{"plan": "pro", "seats": 3},
		CreateContact: true,
	})
	if owlat.OutcomeUnknown(err) {
		log.Fatal("it may have been sent: do not send it again")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.EventName, "contact created:", result.ContactCreated)
	// Output: plan_changed contact created: true
}

// Send a mail with an attachment.
func ExampleTransactional_Send() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	deployment.AddTemplate("invoice", true)

	result, err := client.Transactional.Send(context.Background(), owlat.SendMessageRequest{
		Email:         "ada@example.com",
		Slug:          "invoice",
		DataVariables: map[string]any{"number": "2026-17"},
		Attachments:   []owlat.Attachment{{Filename: "invoice.txt", Content: []byte("…"), ContentType: "text/plain"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Status)
	// Output: queued
}

// Decide by the kind of an error.
func ExampleError() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}

	_, err = client.Contacts.Get(context.Background(), "nobody@example.com")
	var refusal *owlat.Error
	switch {
	case errors.Is(err, owlat.ErrNoRoute):
		fmt.Println("the base URL is wrong")
	case errors.Is(err, owlat.ErrNotFound):
		fmt.Println("there is no such contact")
	case errors.As(err, &refusal):
		fmt.Println("refused:", refusal.Category)
	}
	fmt.Println(err)
	// Output:
	// there is no such contact
	// owlat: GET /contacts/{contact}: 404 not_found: Contact not found
}

// Share the budget of one key among several clients.
func ExampleWithLimiter() {
	limiter := owlat.NewLimiter(owlat.DefaultRate, owlat.DefaultBurst)
	const key = "lm_live_0123456789abcdefghijklmnopqrstuvwxyz"

	for _, timeout := range []time.Duration{5 * time.Second, time.Minute} {
		client, err := owlat.NewClient("https://owlat.example", key, owlat.WithLimiter(limiter), owlat.WithTimeout(timeout))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(client)
	}
	// Output:
	// owlat.Client(https://owlat.example)
	// owlat.Client(https://owlat.example)
}

// Handle webhooks on a server of one's own.
func ExampleWebhookHandler() {
	left := func(_ context.Context, event *owlat.WebhookEvent) error {
		switch data := event.Payload.(type) {
		case owlat.WebhookTopicUnsubscribedPayload:
			fmt.Println(data.Email, "left", data.Topics[0].Name)
		case owlat.WebhookEmailBouncedPayload:
			fmt.Println(data.Email, "bounced")
		}
		return nil
	}
	handler, err := owlat.WebhookHandler([]string{"whsec_new", "whsec_old"}, left)
	if err != nil {
		log.Fatal(err)
	}

	// This is what Owlat sends. A real program gives the handler to its server instead.
	body := []byte(`{"event":"topic.unsubscribed","timestamp":"2026-01-02T03:04:05.678Z","data":{"contactId":"k57","email":"ada@example.com",` +
		`"unsubscribedAt":1767323045678,"listsRemoved":"[{\"topicId\":\"k91\",\"topicName\":\"Newsletter\"}]"}}`)
	request := httptest.NewRequest("POST", "/owlat", bytes.NewReader(body))
	request.Header = owlat.SignWebhook("whsec_old", "k77", time.Now(), body)
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output:
	// ada@example.com left Newsletter
	// 204
}

// Count the requests of one run apart from all others.
func ExampleClient_With() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	requests := 0
	run, err := client.With(owlat.WithObserver(func(owlat.Attempt) { requests++ }))
	if err != nil {
		log.Fatal(err)
	}
	_, _ = client.Health(context.Background()) // not the run's
	_, _ = run.Health(context.Background())
	fmt.Println("requests of the run:", requests)
	// Output: requests of the run: 1
}

// Make a request that the package has no method for.
func ExampleClient_Do() {
	deployment := &owlattest.Server{}
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	var answer struct {
		Data struct{ ID, Email string }
	}
	response, err := client.Do(context.Background(), owlat.Request{
		Method: "POST",
		Route:  "/contacts",
		Body:   map[string]string{"email": "ada@example.com"},
	}, &answer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.StatusCode, answer.Data.Email, response.RateLimit.Limit)
	// Output: 201 ada@example.com 10
}

// See which topics a contact is on, and opt it out of everything: with the secret of the deployment, beside the API.
func ExamplePreferences() {
	ctx := context.Background()
	deployment := &owlattest.Server{UnsubscribeSecret: "a secret of the deployment"} // stands in for a real one in this example
	news := deployment.AddTopic("Newsletter", false)
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()),
		owlat.WithUnsubscribeSecret("a secret of the deployment"))
	if err != nil {
		log.Fatal(err)
	}
	ada, err := client.Contacts.Create(ctx, owlat.CreateContactRequest{Email: "ada@example.com"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Topics.Add(ctx, news, owlat.AddMemberRequest{ContactID: ada.ID}); err != nil {
		log.Fatal(err)
	}
	show := func() {
		seen, err := client.Preferences.Get(ctx, ada.ID)
		if err != nil {
			log.Fatal(err)
		}
		for _, topic := range seen.Topics {
			fmt.Println(topic.Name, topic.Subscribed)
		}
	}
	show()
	result, err := client.Preferences.OptOut(ctx, ada.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("topics left:", result.TopicsLeft)
	show()
	// Output:
	// Newsletter true
	// topics left: 1
	// Newsletter false
}

// Tell a wrong secret from a contact that is gone.
func ExamplePreferencesError() {
	deployment := &owlattest.Server{UnsubscribeSecret: "a secret of the deployment"}
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()),
		owlat.WithUnsubscribeSecret("that of another deployment"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Preferences.Get(context.Background(), "k5700000000000000000000000000000")
	var refused *owlat.PreferencesError
	switch {
	case errors.Is(err, owlat.ErrNotFound):
		fmt.Println("the contact is gone")
	case errors.As(err, &refused):
		fmt.Println(refused.Reason)
	}
	// Output: invalid_signature
}

// Look once more, right before a request is sent, whether it is still right.
func ExampleWithBeforeSend() {
	deployment := &owlattest.Server{} // stands in for a real one in this example
	client, err := owlat.NewClient("https://owlat.example", deployment.AddKey(), owlat.WithTransport(deployment.Transport()))
	if err != nil {
		log.Fatal(err)
	}
	withdrawn := errors.New("the consent was withdrawn")
	careful, err := client.With(owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error {
		return withdrawn // a real program asks its database
	}))
	if err != nil {
		log.Fatal(err)
	}
	_, err = careful.Topics.Add(context.Background(), "k570000000", owlat.AddMemberRequest{Email: "ada@example.com"})
	fmt.Println(errors.Is(err, withdrawn), owlat.OutcomeUnknown(err), deployment.Stats().Total)
	// Output: true false 0
}
