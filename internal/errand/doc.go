// Package errand has a request to Owlat sent by whoever has the budget of an API key, for somebody who has the same key and not the budget.
//
// The idea to know: an errand is one request as it goes over the wire, and comes back as the answer went over the wire. So whoever
// asks has an ordinary client, with another transport, and everything that uses one works as ever and says what it says otherwise. The
// repeating of requests is left to whoever asks; their pace is that of the holder.
//
// Both sides know the API key, so errands and answers are sealed with it: where they wait, nobody can read an address, and nobody
// without the key can have anything sent.
package errand
