// Package members compares the memberships that the ledger has with those that Owlat has, which the links in Owlat's mails tell. A table
// says for each way in which they meet what is to be told and what a repair does. It decides nothing about who is put on a topic:
// package consent does.
package members
