package config

import (
	"slices"
	"strings"

	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/reconcile"
	"owlatsync/source"
)

// maxTopicName is the longest name of a topic in bytes.
const maxTopicName = 1000

// topicDecoder reads the topics of a sync.
type topicDecoder struct {
	syncDecoder
	path string
}

// topic reads a topic, which has an id, a name, or both.
func (d topicDecoder) topic(n *yamltree.Node, sync *Sync) {
	path := d.path
	s := sectionOf[written.Topic](d.decoder, n, path)
	id, name := s.text("id"), s.text("name")
	id.text, name.text = strings.TrimSpace(id.text), strings.TrimSpace(name.text)
	switch {
	case !id.given && !id.wrong && !name.given && !name.wrong:
		d.required(id, "copy it from the topic's page in Owlat, or give the topic's \"name\", which needs owlat.unsubscribe_secret")
	case id.given && !ValidTopicID(id.text):
		id.refuse(d.decoder, "%q is not a topic id: that has at least 10 letters and digits; copy it from the topic's page in Owlat, or give its name as \"name\"", id.text)
	case id.given && slices.ContainsFunc(sync.Topics, func(t Topic) bool { return t.ID == id.text }):
		id.refuse(d.decoder, "the topic %s is listed twice in this sync", id.text)
	}
	switch {
	case name.given && len(name.text) > maxTopicName:
		name.refuse(d.decoder, "is longer than %d bytes, and so no name of a topic", maxTopicName)
	case name.given && slices.ContainsFunc(sync.Topics, func(t Topic) bool { return t.Name == name.text }):
		name.refuse(d.decoder, "the topic %q is listed twice in this sync", name.text)
	}
	if name.given && !id.given && !id.wrong {
		d.named = append(d.named, name)
	}
	topic := Topic{ID: id.text, Name: name.text}
	var when value
	if n := s.child("when"); n != nil && n.Kind == yamltree.Bool {
		d.add(n.Line, path+".when", "must name a column that holds the consent; leave it out to put every row on the topic")
		when.wrong = true
	} else {
		when = s.text("when")
	}
	topic.When, topic.Words = when.text, d.words(s, when, "when")
	topic.Existing = reconcile.Existing(d.oneOf(s.text("existing"), string(reconcile.ExistingSkip), string(reconcile.ExistingAdd)))
	sync.Topics = append(sync.Topics, topic)
}

// suppressedDecoder reads to whom no mail may ever go.
type suppressedDecoder struct{ syncDecoder }

// read reads a column, or a section with a column and its values.
func (d suppressedDecoder) read(of section, path string, sync *Sync) {
	const hint = "must name the column that says to whom no mail may ever go, such as never_mail"
	n := of.child("suppressed")
	switch {
	case n == nil || n.Kind == yamltree.Null:
		return
	case n.Kind == yamltree.Bool:
		d.add(n.Line, path, hint)
		return
	case n.Kind != yamltree.Mapping:
		sync.Suppressed.Column = of.text("suppressed").text
		return
	}
	s := sectionOf[written.Suppressed](d.decoder, n, path)
	var column value
	if c := s.child("column"); c != nil && c.Kind == yamltree.Bool {
		d.add(c.Line, path+".column", hint)
		column.wrong = true
	} else if column = s.text("column"); !column.given && !column.wrong && s.child("yes") == nil && s.child("no") == nil {
		d.required(column, "name the column that says to whom no mail may ever go")
	}
	sync.Suppressed = Suppressed{Column: column.text, Words: d.words(s, column, "column")}
}

// words reads which values of the column that a key names mean yes and no.
func (d syncDecoder) words(s section, when value, key string) (words source.Words) {
	for _, list := range []struct {
		key  string
		into *[]string
	}{{"yes", &words.Yes}, {"no", &words.No}} {
		n := s.child(list.key)
		switch path := setting(s.path, list.key); {
		case n == nil:
			continue
		case !when.given && !when.wrong:
			d.add(n.Line, path, "means nothing without %q, the column that holds the consent", key)
			continue
		case n.Kind == yamltree.List && len(n.Items) == 0:
			d.add(n.Line, path, "lists nothing; list values of the column, or remove the line")
		}
		for _, v := range s.textOrList(list.key, yamltree.Bool) {
			*list.into = append(*list.into, v.text)
			if err := words.Validate(); err != nil {
				v.refuse(d.decoder, "%s", err)
			}
		}
	}
	return words
}

// nameless reports names of topics that nothing could resolve. They need the key and the secret, so they matter only where those are used.
func (d owlatDecoder) nameless(s section, cfg *Config) {
	if hasSecret(s) {
		return // whatever is wrong with it was said
	}
	wrong := d.unlessUnused(UseKey, func() {
		for _, name := range d.named {
			name.refuse(d.decoder, "Owlat tells the names of topics only to those who have owlat.unsubscribe_secret; set that, or give the topic's id as \"id\"")
		}
	})
	cfg.Owlat.NoKey = join(cfg.Owlat.NoKey, wrong)
}
