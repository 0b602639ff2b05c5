package model

import "owlatsync"

// Fields are a contact's fields besides its address; nil is null. In JSON they have the API's names.
type Fields struct {
	FirstName *string `json:"firstName"`
	LastName  *string `json:"lastName"`
}

// At returns where the value of a field stands.
func (x *Fields) At(f owlatsync.ContactField) **string {
	if f == owlatsync.FirstName {
		return &x.FirstName
	}
	return &x.LastName
}

// numbered returns made-up fields that end in a number.
func numbered(n string) Fields { return Fields{FirstName: new("First" + n), LastName: new("Last" + n)} }
