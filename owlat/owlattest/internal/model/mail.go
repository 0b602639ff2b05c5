package model

import "owlatsync"

// Template is a mail that the transactional endpoint can send.
type Template struct {
	ID        string
	Slug      string
	Published bool
	Languages []string // the first is the default
}

// Language picks the language of a mail: the one asked for, else the template's default.
func (t *Template) Language(asked string) string {
	for _, l := range t.Languages {
		if l == asked {
			return l
		}
	}
	return t.Languages[0]
}

// Mail is what decides whether a transactional mail is sent.
type Mail struct {
	Templates  map[string]*Template // by id
	Blocked    map[string]bool      // addresses in lower case
	Unverified bool                 // the sending domain
}

func newMail() Mail { return Mail{Templates: map[string]*Template{}, Blocked: map[string]bool{}} }

// BySlug returns the template with that slug, or nil.
func (m *Mail) BySlug(slug string) *Template {
	for _, t := range m.Templates {
		if t.Slug == slug {
			return t
		}
	}
	return nil
}

// AddTemplate makes a template; without languages it is an English one.
func (d *Deployment) AddTemplate(slug string, published bool, languages []string) *Template {
	if len(languages) == 0 {
		languages = []string{"en"}
	}
	t := &Template{ID: d.Random.ID(), Slug: slug, Published: published, Languages: languages}
	d.Mail.Templates[t.ID] = t
	return t
}

// VerifyDomain says whether the sending domain is verified.
func (d *Deployment) VerifyDomain(verified bool) {
	d.Mail.Unverified = !verified
	d.Changed()
}

// Block makes Owlat refuse transactional mail to that address.
func (d *Deployment) Block(email string) {
	d.Mail.Blocked[owlatsync.LowerAddress(email)] = true
	d.Changed()
}
