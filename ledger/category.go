package ledger

// Category is the kind of reason why a row was not applied: one of Owlat's error categories as its answers name them, or one of the
// words below.
type Category string

const (
	CategoryNetwork     Category = "network"      // no answer
	CategoryTimeout     Category = "timeout"      // no answer in time
	CategoryAnswer      Category = "answer"       // an answer that cannot be understood
	CategoryInterrupted Category = "interrupted"  // the run ended while the request was under way
	CategoryRoute       Category = "route"        // what answers is not Owlat's API
	CategoryDrift       Category = "drift"        // Owlat refuses an address that no contact has
	CategoryTaken       Category = "taken"        // another contact has the address
	CategoryExchange    Category = "exchange"     // rows exchange addresses
	CategoryAddress     Category = "address"      // the contact has another address than was written
	CategoryTopic       Category = "topic"        // Owlat does not have the topic
	CategoryUnsure      Category = "unsure"       // it is not known whether an add took effect
	CategoryUnconfirmed Category = "unconfirmed"  // Owlat waits for a confirmation and sends no second mail that asks for it
	CategoryEvent       Category = "event"        // it is not known whether an event arrived
	CategoryLedger      Category = "ledger"       // the step could not be recorded
	CategorySource      Category = "source"       // the row itself cannot be sent, or another one counts
	CategoryWaiting     Category = "waiting"      // it failed before and is not tried yet
	CategoryGone        Category = "gone"         // the contact was deleted in Owlat
	CategoryNotImported Category = "not imported" // the row was written to a file for Owlat's importer, and Owlat has no contact
	CategoryNeverMail   Category = "never mail"   // no mail may go to the person, and Owlat cannot be told, or has no contact
	CategoryUnmatched   Category = "unmatched"    // Owlat has no contact with the address, and the sync creates none
	CategoryKept        Category = "kept"         // the contact of an absent row is left: another row failed, or has it now
	CategoryUnasked     Category = "unasked"      // the run was asked for other rows
	CategoryUnreached   Category = "unreached"    // the run ended before the row's turn
	CategoryHeld        Category = "held"         // the run applied nothing
)

// Categories lists the categories that are not Owlat's.
var Categories = []Category{
	CategoryNetwork, CategoryTimeout, CategoryAnswer, CategoryInterrupted, CategoryRoute, CategoryDrift, CategoryTaken, CategoryExchange,
	CategoryAddress, CategoryTopic, CategoryUnsure, CategoryUnconfirmed, CategoryEvent, CategoryLedger, CategorySource, CategoryWaiting, CategoryGone, CategoryNotImported, CategoryNeverMail, CategoryUnmatched, CategoryKept, CategoryUnasked,
	CategoryUnreached, CategoryHeld,
}
