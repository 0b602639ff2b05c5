package config

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"owlatsync"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/source"
)

// fieldsDecoder reads what becomes of columns.
type fieldsDecoder struct{ *decoder }

func (d fieldsDecoder) fields(s section, sync *Sync) {
	n := d.child(s, "fields", "say which column holds the address, such as \"fields: {email: email}\"")
	if n == nil {
		return
	}
	keys := sectionOf[written.Fields](d.decoder, d.withoutLanguage(n, s.path+".fields"), s.path+".fields")
	f := &sync.Fields
	rest := d.overwrite(s, "")
	email := d.field(keys, "email", &f.Shapes.Email)
	sync.Overwrite.Email = d.overwriteOf(keys, "email", rest)
	f.Email = email.text
	if d.required(email, "name the column that holds the address") && f.Shapes.Email != (source.Shape{}) {
		switch {
		case f.Shapes.Email.Value != "":
			email.refuse(d.decoder, "cannot be the same in every row; name its column")
		case !sync.Target.IsFile() && sync.Target.Kind() != "":
			email.refuse(d.decoder, "must be a column alone, by which rows are found in the database; make the address in the query")
		}
	}
	for _, field := range owlatsync.ContactFields {
		f.Others[field] = d.field(keys, field.Name(), &f.Shapes.Fields[field]).text
	}
	full := d.field(keys, "fullName", &f.Shapes.FullName)
	names := d.overwriteOf(keys, "fullName", rest)
	for _, field := range owlatsync.ContactFields {
		sync.Overwrite.Fields[field] = d.overwriteOf(keys, field.Name(), names)
	}
	switch f.FullName = full.text; {
	case full.given && f.Shapes.FullName.Value != "":
		full.refuse(d.decoder, "cannot be the same in every row; give firstName and lastName values")
	case full.given && (f.Others != owlatsync.Texts{} || f.Shapes.Fields != [owlatsync.NumContactFields]source.Shape{}):
		full.refuse(d.decoder, "makes both names; remove it, or firstName and lastName")
	}
}

// withoutLanguage says of a key that people look for why it is not there, and leaves it out.
func (d fieldsDecoder) withoutLanguage(n *yamltree.Node, path string) *yamltree.Node {
	rest := *n
	rest.Pairs = slices.DeleteFunc(slices.Clone(n.Pairs), func(p yamltree.Pair) bool {
		asked := slices.Contains([]string{"language", "lang", "locale"}, strings.ToLower(p.Key))
		if asked {
			d.add(p.Line, path, "%q is no field: Owlat's API can neither read nor set a contact's language; set it in Owlat's dashboard, or by its import of CSV files", p.Key)
		}
		return asked
	})
	return &rest
}

// field reads a column, or a section that says what is made of one. The value is that of the column, empty with a constant.
func (d fieldsDecoder) field(s section, key string, shape *source.Shape) value {
	n := s.child(key)
	if n == nil || n.Kind != yamltree.Mapping {
		return s.text(key)
	}
	part := sectionOf[written.FieldParts](d.decoder, n, setting(s.path, key))
	column, constant := part.text("column"), part.text("value")
	trim, split, place := d.exact(part, "trim"), d.exact(part, "split"), part.text("part")
	*shape = source.Shape{Value: owlatsync.Trim(constant.text), Trim: trim.text, Split: split.text, Title: d.yes(part, "title")}
	switch {
	case place.given:
		number, err := strconv.Atoi(place.text)
		if err != nil || number == 0 {
			place.refuse(d.decoder, "must be the number of a part: 1 for the first, -1 for the last")
		}
		if shape.Part = number; !split.given && !split.wrong {
			place.refuse(d.decoder, "means nothing without split; say what stands between the parts, such as split: \";\"")
		}
	case split.given:
		shape.Part = 1
	}
	out := value{text: column.text, line: n.Line, setting: part.path, given: column.given || constant.given, wrong: part.odd || column.wrong || constant.wrong}
	switch {
	case constant.given && (column.given || *shape != source.Shape{Value: shape.Value}):
		constant.refuse(d.decoder, "is the same in every row, so nothing else can stand beside it; remove it, or the rest")
	case !out.given && !out.wrong:
		d.add(n.Line, part.path, "names no column; add one, such as {column: name, title: true}")
		out.wrong = true
	}
	return out
}

// overwriteOf reads who owns a field; rest is what holds for a field that does not say.
func (d fieldsDecoder) overwriteOf(fields section, key string, rest owlatsync.Overwrite) owlatsync.Overwrite {
	n := fields.child(key)
	if n == nil || n.Kind != yamltree.Mapping {
		return rest
	}
	return d.overwrite(section{d: d.decoder, node: n, path: setting(fields.path, key)}, rest)
}

// overwrite reads the key of this name of a sync or of a field.
func (d fieldsDecoder) overwrite(s section, rest owlatsync.Overwrite) owlatsync.Overwrite {
	v := s.text("overwrite")
	if !v.given {
		return rest
	}
	words := make([]string, len(owlatsync.OverwriteWords))
	for i, word := range owlatsync.OverwriteWords {
		words[i] = string(word)
	}
	return owlatsync.Overwrite(d.oneOf(v, words...))
}

// exact reads a text in which blanks count.
func (d fieldsDecoder) exact(s section, key string) value {
	n := s.child(key)
	if n == nil || n.Kind != yamltree.Text || n.Text == "" || strings.TrimSpace(n.Text) != "" {
		return s.text(key)
	}
	return value{text: n.Text, line: n.Line, setting: setting(s.path, key), given: true}
}

// yes reads true or false.
func (d fieldsDecoder) yes(s section, key string) bool {
	n := s.child(key)
	if n != nil && n.Kind != yamltree.Bool {
		d.add(n.Line, setting(s.path, key), "must be true or false, not %s", n.Kind)
		return false
	}
	return n != nil && isTrue(n)
}

// isTrue reports whether a node of the kind yamltree.Bool says so.
func isTrue(n *yamltree.Node) bool {
	yes, _ := strconv.ParseBool(n.Text) // YAML's words are among Go's
	return yes
}

// property reads the column of an event's property, or a section with its value.
func (d fieldsDecoder) property(p yamltree.Pair, path string) Property {
	if p.Value == nil || p.Value.Kind != yamltree.Mapping {
		return Property{Name: p.Key, Column: d.scalar(p.Value, path, p.Line).text}
	}
	constant := sectionOf[written.Constant](d.decoder, p.Value, path)
	n, out := constant.child("value"), Property{Name: p.Key, Value: json.RawMessage("null")}
	switch {
	case n == nil && len(p.Value.Pairs) > 0: // which was reported
	case n == nil:
		d.add(p.Line, path, "must be a column, or have a value for all events, such as {value: 3}")
	case n.Kind == yamltree.Bool:
		out.Value = strconv.AppendBool(nil, isTrue(n))
	case n.Kind == yamltree.Number && json.Valid([]byte(n.Text)):
		out.Value = json.RawMessage(n.Text)
	default:
		v := constant.text("value")
		out.Value, _ = json.Marshal(v.text) // a text always can be
	}
	return out
}
