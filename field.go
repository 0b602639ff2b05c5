package owlatsync

// ContactField is a field of a contact, besides its address, that rows can set.
type ContactField int

// The fields, in the order of every array that has one value for each.
const (
	FirstName ContactField = iota
	LastName

	// NumContactFields is the number of fields.
	NumContactFields = iota
)

// contactFields names each field. ARCHITECTURE.md says which other files a new field touches.
var contactFields = [NumContactFields]struct{ name, column, label string }{
	FirstName: {"firstName", "first_name", "first name"},
	LastName:  {"lastName", "last_name", "last name"},
}

// ContactFields lists all fields in their order.
var ContactFields = [NumContactFields]ContactField{FirstName, LastName}

// Name returns the field's name in Owlat's API and in the configuration, such as "firstName".
func (f ContactField) Name() string { return contactFields[f].name }

// Column returns the field's name as a column, such as "first_name".
func (f ContactField) Column() string { return contactFields[f].column }

// Label returns the field's name for people, such as "first name".
func (f ContactField) Label() string { return contactFields[f].label }

// Fields has what a source says about each field of a contact.
type Fields [NumContactFields]Field

// Texts has a text for each field of a contact.
type Texts [NumContactFields]string
