package owlattest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"owlatsync/owlat/owlattest"
)

// A server in process: any http.Client reaches it through its Transport.
func Example() {
	var server owlattest.Server
	key := server.AddKey()
	news := server.AddTopic("News", false)
	client := &http.Client{Transport: server.Transport()}

	post := func(path, body string) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://owlat.example/api/v1"+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := client.Do(req)
		if err != nil {
			panic(err)
		}
		defer func() { _ = res.Body.Close() }()
		fmt.Println(res.Status)
	}
	post("/contacts", `{"email":"Ada@Example.com","firstName":"Ada"}`)
	post("/contacts", `{"email":"ada@example.com"}`)
	post("/topics/"+news+"/contacts", `{"email":"ada@example.com"}`)

	ada, _ := server.Contact("ada@example.com")
	fmt.Println(ada.Email, ada.FirstName, len(ada.Topics))
	// Output:
	// 201 Created
	// 409 Conflict
	// 201 Created
	// ada@example.com Ada 1
}

// One create in three loses its answer after the contact was made; what makes no sense is refused.
func ExampleServer_InjectFaults() {
	var server owlattest.Server
	err := server.InjectFaults(owlattest.Fault{
		Kind: owlattest.ResetAfter, Method: http.MethodPost, Route: owlattest.RouteContacts, Rate: 1.0 / 3,
	})
	fmt.Println(err)

	err = server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 429})
	fmt.Println(err)
	// Output:
	// <nil>
	// inject fault 1: the status must lie between 500 and 599
}

// What a person does with a mail, and what the API then undoes.
func ExampleServer_Unsubscribe() {
	var server owlattest.Server
	made, err := server.Setup(owlattest.Given{
		Keys:   map[string]owlattest.GivenKey{"all": {Scopes: owlattest.AllScopes()}},
		Topics: map[string]owlattest.GivenTopic{"news": {}},
	})
	if err != nil {
		panic(err)
	}
	if _, err := server.AddContact(owlattest.ContactState{Email: "ada@example.com"}); err != nil {
		panic(err)
	}
	if err := server.Unsubscribe("ada@example.com", ""); err != nil {
		panic(err)
	}
	ada, _ := server.Contact("ada@example.com")
	fmt.Println(ada.Unsubscribed)

	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		"http://owlat.example/api/v1/topics/"+made.Topics["news"]+"/contacts", strings.NewReader(`{"email":"ada@example.com"}`))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+made.Keys["all"])
	res, err := server.Transport().RoundTrip(req)
	if err != nil {
		panic(err)
	}
	defer func() { _ = res.Body.Close() }()
	ada, _ = server.Contact("ada@example.com")
	fmt.Println(ada.Unsubscribed)
	for _, e := range server.History("ada@example.com") {
		fmt.Println(e.Action, "by", e.By)
	}
	// Output:
	// true
	// false
	// created by dashboard
	// opted_out by person
	// added by api
	// opt_out_lifted by api
}
