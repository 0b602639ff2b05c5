package remote

import (
	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/step"
)

// FieldsOf returns the synced fields of a contact.
func FieldsOf(c *owlat.Contact) owlatsync.Texts {
	return owlatsync.Texts{owlatsync.FirstName: c.FirstName, owlatsync.LastName: c.LastName}
}

// HeldBy returns what Owlat holds of a contact that an entry knows.
func HeldBy(c *owlat.Contact) own.Held {
	return own.Held{Email: owlatsync.LowerAddress(c.Email), Fields: FieldsOf(c)}
}

// Looked takes in what a look at the contact of an entry has shown.
func Looked(o owlatsync.Overwrites, e *ledger.Entry, c *owlat.Contact) {
	own.See(o, e, HeldBy(c), own.Read)
	Witnessed(e, c)
}

// field returns a pointer to a field of a contact.
func field(c *owlat.Contact, f owlatsync.ContactField) *string {
	switch f {
	case owlatsync.FirstName:
		return &c.FirstName
	default:
		return &c.LastName
	}
}

// Request returns the request that creates a contact with the fields that are not nil.
func Request(email string, fields step.Wanted) owlat.CreateContactRequest {
	return owlat.CreateContactRequest{Email: email, FirstName: fields[owlatsync.FirstName], LastName: fields[owlatsync.LastName]}
}

// Creation returns the request that creates the contact of a row. Empty fields are left out.
func Creation(r *step.Row) owlat.CreateContactRequest {
	fields := r.Fields
	for i, text := range fields {
		if text != nil && *text == "" {
			fields[i] = nil
		}
	}
	return Request(r.Email, fields)
}

// Update returns the request that sets the fields of a contact that are not nil.
func Update(fields step.Wanted) owlat.UpdateContactRequest {
	return owlat.UpdateContactRequest{FirstName: fields[owlatsync.FirstName], LastName: fields[owlatsync.LastName]}
}
