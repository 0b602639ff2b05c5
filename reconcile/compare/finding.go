// Package compare finds the differences between the ledger and a listing of Owlat's contacts, and corrects the ledger to it.
package compare

import (
	"slices"

	"owlatsync/reconcile/members"
	"owlatsync/reconcile/step"
)

// Kind says how source, ledger and Owlat disagree.
type Kind string

const (
	SourceAhead    Kind = "source"  // the next run would change something for the row
	ChangedInOwlat Kind = "changed" // a field is not what the ledger says was written
	AddressDiffers Kind = "address" // the contact's address is not what was written
	KeptInOwlat    Kind = "kept"    // a field was changed in Owlat, and the sync keeps what is there
	MissingInOwlat Kind = "missing" // the contact of a row does not exist
	UnknownInOwlat Kind = "unknown" // no entry of the ledger stands for the contact
	TwinInOwlat    Kind = "twin"    // two live contacts have one address; calls by address reach the older

	// Of memberships; package members says what each means.
	LeftTopic    = Kind(members.Left)
	StillOnTopic = Kind(members.StillOn)
	NoSuchTopic  = Kind(members.NoTopic)
	DueTopic     = Kind(members.Due)
	OnTopic      = Kind(members.On)
	OffTopic     = Kind(members.Off)
)

// Kinds lists all kinds in the order in which reports show them.
var Kinds = []Kind{
	SourceAhead, ChangedInOwlat, AddressDiffers, KeptInOwlat, MissingInOwlat, LeftTopic, StillOnTopic, NoSuchTopic, UnknownInOwlat, TwinInOwlat, DueTopic, OnTopic, OffTopic,
}

// Differs reports whether a finding of the kind needs a person's attention. The others only inform.
func (k Kind) Differs() bool {
	return k != UnknownInOwlat && k != KeptInOwlat && (!slices.Contains(members.Kinds, members.Kind(k)) || members.Kind(k).Differs())
}

// Finding is one difference. Values are personal data that somebody asked for.
type Finding struct {
	Kind      Kind
	Sync      string // empty if no row stands for the contact
	Key       string
	ContactID string
	Field     string // "email" or the name of a ContactField
	Ledger    string // the value that was written
	Owlat     string // the value in Owlat; of a twin the id of the older contact, of a missing one that of the contact with its address
	Address   string
	Decision  *step.Decision   // for SourceAhead, else nil
	Member    *members.Finding // for memberships, else nil
}
