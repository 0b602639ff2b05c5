package config

import (
	"slices"
	"strings"

	"owlatsync/internal/account"
	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
)

// Account lets a person sign in to the page.
type Account struct {
	Name string // unique beside the other accounts of its place; see account.Name
	Role Role
	Hash account.Hash
}

// accountDecoder reads accounts.
type accountDecoder struct{ *decoder }

// accounts reads the list of accounts in a section.
func (d accountDecoder) accounts(s section) (all []Account) {
	for i, item := range s.list("accounts") {
		all = append(all, d.account(item, itemOf(s.path, "accounts", i), all))
	}
	return all
}

func (d accountDecoder) account(n *yamltree.Node, path string, others []Account) Account {
	s := sectionOf[written.Account](d.decoder, n, path)
	name, role, hash := s.text("name"), s.text("role"), s.text("hash")
	one, err := Account{}, error(nil)
	if d.required(name, "say who signs in with it") {
		if one.Name, err = account.Name(name.text); err != nil {
			name.refuse(d.decoder, "%s", err)
		} else if slices.ContainsFunc(others, func(a Account) bool { return a.Name == one.Name }) {
			name.refuse(d.decoder, "%q is the name of an account above, too", one.Name)
		}
	}
	if d.required(role, "viewer or operator") {
		one.Role = Role(d.oneOf(role, string(Viewer), string(Operator)))
	}
	if d.required(hash, "\"owlat-sync account\" asks for a password and prints this line") {
		if one.Hash, err = account.Parse(strings.TrimSpace(hash.text)); err != nil {
			hash.refuse(d.decoder, "%s; \"owlat-sync account\" prints it. The password itself does not belong here", err)
		}
	}
	return one
}
