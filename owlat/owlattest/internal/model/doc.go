// Package model is what an Owlat deployment holds and how each act changes it: contacts, topics and memberships, API keys,
// mails, and the history of consents. It knows neither requests nor answers, and nothing in it locks: whoever holds a
// [Deployment] lets one goroutine at a time use it.
//
// The one idea to know: a contact has its address twice, as the present one and in an identity table, and each act looks
// it up where Owlat does. Acts have three doors: what the API does are methods of [Deployment], what a person does with
// a link in a mail are those of [People], and what is done in the dashboard those of [Dashboard].
package model
