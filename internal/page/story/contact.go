package story

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/explain"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// Fields writes the fields that are known.
func Fields(fields owlatsync.Texts) string {
	var parts []string
	for _, f := range owlatsync.ContactFields {
		if fields[f] != "" {
			parts = append(parts, f.Name()+": "+fields[f])
		}
	}
	return strings.Join(parts, ", ")
}

// OriginOf says how the contact of a row came to be. The row must have an entry.
func OriginOf(t *explain.Tale) string {
	switch t.Entry.Origin {
	case ledger.OriginCreated, ledger.OriginDeleting:
		return "created by this sync"
	case ledger.OriginAdopted:
		if t.Sibling.Created != "" {
			return fmt.Sprintf("created by the sync %q", t.Sibling.Created)
		}
		return "in Owlat before this sync met it"
	case ledger.OriginGone:
		return "deleted in Owlat"
	case ledger.OriginDeleted:
		return "deleted by this sync"
	case ledger.OriginExported:
		return "written to a file for Owlat's importer, and not met since"
	}
	return ""
}

// Kept says which values stay as Owlat has them although the row says something else.
func Kept(t *explain.Tale) (all []string) {
	for _, k := range t.Kept() {
		all = append(all, capital(k.Says())+".")
	}
	return all
}

// Differs says how Owlat's contact, which must be there, differs from what the ledger has.
func Differs(t *explain.Tale) (all []string) {
	differ := func(name, here, there string) {
		if here != there {
			all = append(all, fmt.Sprintf("%s is %q there, and %q here", name, there, here))
		}
	}
	differ("address", t.Entry.Email, owlatsync.LowerAddress(t.Remote.Email))
	there := reconcile.FieldsOf(t.Remote)
	for _, f := range owlatsync.ContactFields {
		differ(f.Name(), t.Entry.Fields[f], there[f])
	}
	return all
}
