package main

import (
	"fmt"
	"strings"
	"testing"
)

// badRows are rows that Owlat would refuse, or that cannot count, behind rows that are in step. Each costs no request, and
// the run says why it is left out.
func badRows() []badInput {
	row := func(name, line string) badInput {
		return badInput{name: name, files: map[string]string{"users.csv": workingUsers + line + "\n"}, also: oneRowLeftOut}
	}
	address := func(name, text string) badInput { return row(name, fmt.Sprintf("9,%s,Eve,Doe,yes,free", text)) }
	typed := func(name, object string) badInput {
		c := row(name, "")
		c.change = []string{"csv:users.csv", "ndjson:users.ndjson"}
		c.files = map[string]string{"users.ndjson": workingObjects + object + "\n"}
		return c
	}
	long := strings.Repeat("n", 201)
	domain := strings.Repeat("d", 60) + "." + strings.Repeat("e", 60) + "." + strings.Repeat("f", 60) + ".example"
	return []badInput{
		address("an empty address", ""),
		address("blanks for an address", "   "),
		address("an address without an at sign", "eve.example.com"),
		address("an address with two at signs", "eve@@example.com"),
		address("an address without a name", "@example.com"),
		address("an address without a domain", "eve@"),
		address("an address with a blank", "eve doe@example.com"),
		address("an address in quotes", `"""eve""@example.com"`),
		address("an address with a display name", "Eve Doe <eve@example.com>"),
		address("two addresses", `"eve@example.com,doe@example.com"`),
		address("an address that begins with a dot", ".eve@example.com"),
		address("an address with a dot before the at sign", "eve.@example.com"),
		address("an address with two dots", "eve..doe@example.com"),
		address("an address at a single label", "eve@localhost"),
		address("an address at an IP number", "eve@[192.0.2.1]"),
		address("an address at a number", "eve@192.0.2.1"),
		address("an address with an underscore in the domain", "eve@mail_server.example.com"),
		address("an address with a hyphen before the domain", "eve@-example.com"),
		address("an address with a last label of one letter", "eve@example.c"),
		address("an address with a digit in the last label", "eve@example.c0m"),
		address("an address with a dot at the end", "eve@example.com."),
		address("an address with an invisible character", "eve\u200b@example.com"),
		address("an address with a control character", "eve\x07@example.com"),
		address("an address that is too long for Owlat", "eve.doe.of.many.names@"+domain),
		address("an address that is too long for any", strings.Repeat("eve", 90)+"@example.com"),
		address("an address that is not UTF-8", "ev\xe9@example.com"),
		address("a mailto link", "mailto:eve@example.com"),
		row("a first name that is too long", "9,eve@example.com,"+long+",Doe,yes,free"),
		row("a last name that is too long", "9,eve@example.com,Eve,"+long+",yes,free"),
		row("a name of too many owls", "9,eve@example.com,"+strings.Repeat("🦉", 101)+",Doe,yes,free"),
		row("a name that is not UTF-8", "9,eve@example.com,\xc9ve,Doe,yes,free"),
		row("no key", ",eve@example.com,Eve,Doe,yes,free"),
		row("a key that is not UTF-8", "\xff,eve@example.com,Eve,Doe,yes,free"),
		row("a key twice", "1,eve@example.com,Eve,Doe,yes,free"),
		row("the address of another row", "9,bob@example.com,Eve,Doe,yes,free"),
		row("the address of another row in capitals", "9, BOB@Example.COM ,Eve,Doe,yes,free"),
		typed("NULL for an address", `{"id":9,"email":null,"first":"Eve","last":"Doe","news":true,"plan":"free"}`),
		typed("NULL for a key", `{"id":null,"email":"eve@example.com","first":"Eve","last":"Doe","news":true,"plan":"free"}`),
		typed("a number for an address", `{"id":9,"email":42,"first":"Eve","last":"Doe","news":true,"plan":"free"}`),
		typed("an object for a name", `{"id":9,"email":"eve@example.com","first":{"given":"Eve"},"last":"Doe","news":true,"plan":"free"}`),
		typed("a list for a key", `{"id":[9],"email":"eve@example.com","first":"Eve","last":"Doe","news":true,"plan":"free"}`),
		typed("an object for a consent", `{"id":9,"email":"eve@example.com","first":"Eve","last":"Doe","news":{"yes":true},"plan":"free"}`),
		typed("a list for a property", `{"id":9,"email":"eve@example.com","first":"Eve","last":"Doe","news":true,"plan":["free"]}`),
		{name: "a row that was good", files: map[string]string{"users.csv": strings.Replace(workingUsers, "ann@example.com", "ann at example.com", 1)}, also: oneRowLeftOut},
	}
}

const workingObjects = `{"id":1,"email":"ann@example.com","first":"Ann","last":"Lee","news":true,"plan":"pro"}
{"id":2,"email":"bob@example.com","first":"Bob","last":"Ray","news":false,"plan":"free"}
{"id":3,"email":"cleo@example.com","first":"Cleo","last":"Fox","news":false,"plan":"free"}
`

// oneRowLeftOut wants that the run's first lines tell of one row that was left out, and that nothing was sent.
func oneRowLeftOut(t *testing.T, stdout []string) {
	t.Helper()
	if len(stdout) < 3 || stdout[0] != "Not applied:" || stdout[2] != "" {
		t.Errorf("the run does not tell of one row:\n%s", strings.Join(stdout, "\n"))
	}
}
