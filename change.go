package owlatsync

// ChangeKind is what a change does.
type ChangeKind string

// The kinds of changes.
const (
	CreateContact ChangeKind = "create"
	AdoptContact  ChangeKind = "adopt"
	RenameContact ChangeKind = "rename"
	SetField      ChangeKind = "set"
	KeepField     ChangeKind = "keep" // what Owlat holds stays, because the field may not be overwritten
	AddTopic      ChangeKind = "add_topic"
	RemoveTopic   ChangeKind = "remove_topic"
	DeleteContact ChangeKind = "delete"
	OptOut        ChangeKind = "opt_out" // of everything, for good
)

// Change is one part of a step that brings a contact in step with its row. Each kind is one request, except that all fields that
// are set, and a rename, share one, and adopt and keep need none. Of KeepField, From is what Owlat holds and To what the row says. That of OptOut goes by a link, and takes nothing of the key's budget.
type Change struct {
	Kind  ChangeKind `json:"kind"`
	Field string     `json:"field,omitempty"` // "email" or the name of a ContactField
	From  string     `json:"from,omitempty"`
	To    string     `json:"to,omitempty"`
	Topic string     `json:"topic,omitempty"`
}
