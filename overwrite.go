package owlatsync

// Overwrite says whether a run may replace what Owlat holds in a field of a contact by what the row says. It says nothing of contacts
// that the run creates, and a field that is equal is never written.
type Overwrite string

const (
	OverwriteAlways  Overwrite = "always"   // whatever Owlat holds (the default)
	OverwriteIfOurs  Overwrite = "if_ours"  // only while Owlat holds what the sync last wrote there, or nothing if it wrote nothing
	OverwriteIfEmpty Overwrite = "if_empty" // only while Owlat holds nothing there
	OverwriteNever   Overwrite = "never"    // never
)

// OverwriteWords lists all of them in the order in which documents show them.
var OverwriteWords = []Overwrite{OverwriteAlways, OverwriteIfOurs, OverwriteIfEmpty, OverwriteNever}

// Always reports whether a run may replace whatever Owlat holds; the empty word says so too.
func (o Overwrite) Always() bool { return o == OverwriteAlways || o == "" }

// Overwrites has the word for each field of a contact. The zero value means OverwriteAlways for all.
type Overwrites struct {
	Email  Overwrite                   `json:"email,omitempty"`
	Fields [NumContactFields]Overwrite `json:"fields,omitzero"`
}

// Always reports whether a run may replace whatever Owlat holds in any field.
func (o Overwrites) Always() bool {
	for _, f := range o.Fields {
		if !f.Always() {
			return false
		}
	}
	return o.Email.Always()
}

// Of returns the word for a field: "email" or the name of a ContactField.
func (o Overwrites) Of(field string) Overwrite {
	for _, f := range ContactFields {
		if f.Name() == field {
			return o.Fields[f]
		}
	}
	return o.Email
}
