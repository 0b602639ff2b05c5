package propose

import (
	"owlatsync/internal/inspect"
	"slices"
	"testing"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"email":              {"email"},
		"userEmail_address":  {"user", "email", "address"},
		"E-Mail":             {"e", "mail"},
		"HTMLOptIn":          {"html", "opt", "in"},
		"ID":                 {"id"},
		"customerID":         {"customer", "id"},
		"first name":         {"first", "name"},
		"[Größe].ÄnderungAm": {"größe", "änderung", "am"},
		"__x__":              {"x"},
		"":                   nil,
	} {
		if got := tokens(name); !slices.Equal(got, want) {
			t.Errorf("tokens(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestEmailScore(t *testing.T) {
	t.Parallel()
	addresses := []string{"a@example.com", "b@example.com", "c@example.com", "not one"}
	hashes := []string{"5f4dcc3b5aa765d61d8327deb882cf99", "x", "y"}
	for _, test := range []struct {
		column inspect.Column
		atMost int
		least  int
	}{
		{inspect.Column{Name: "email", Kind: inspect.Text}, 100, 100},
		{inspect.Column{Name: "email", Kind: inspect.Text, Sample: addresses}, 120, 120},
		{inspect.Column{Name: "email", Kind: inspect.Text, Sample: hashes}, 0, 0},
		{inspect.Column{Name: "UserEmail", Kind: inspect.Text}, 100, 100},
		{inspect.Column{Name: "customer_mail", Kind: inspect.Text}, 82, 82},
		{inspect.Column{Name: "backup_email", Kind: inspect.Text}, 15, 15},
		{inspect.Column{Name: "email_hash", Kind: inspect.Text, Sample: hashes}, 0, 0},
		{inspect.Column{Name: "login", Kind: inspect.Text, Sample: addresses}, 40, 40},
		{inspect.Column{Name: "login", Kind: inspect.Text, Sample: addresses[:2]}, 0, 0},
		{inspect.Column{Name: "login", Kind: inspect.Text}, 0, 0},
		{inspect.Column{Name: "nickname", Kind: inspect.Text, Sample: []string{"ada", "a@example.com", "bob", "cy"}}, 0, 0},
	} {
		if got := emailScore(&test.column); got < test.least || got > test.atMost {
			t.Errorf("%s %q scores %d, want %d to %d", test.column.Name, test.column.Sample, got, test.least, test.atMost)
		}
	}
}

func TestConsentWords(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"newsletter": "yes", "is_subscribed": "yes", "marketing_opt_in": "yes", "optedIn": "yes", "acceptsMarketing": "yes", "email_optin": "yes",
		"wants_product_updates": "yes", "gdpr_consent": "yes", "subscribedToNewsletter": "yes",
		"unsubscribed": "no", "opt_out": "no", "emailOptOut": "no", "do_not_email": "no", "no_newsletter": "no", "isUnsubscribed": "no",
		"terms_accepted": "", "accepts_terms_and_marketing_policy": "", "sms_opt_in": "", "push_subscribed": "", "subscription_plan": "", "is_admin": "",
		"newsletter_sent": "", "unsubscribe_token": "", "email_verified": "", "marketing_source": "", "has_paid_subscription": "", "not_before": "",
	} {
		table := &inspect.Table{Columns: []inspect.Column{{Name: name, Kind: inspect.Bool}}}
		got := ""
		if len(consentColumns(table)) > 0 {
			got = "yes"
		}
		if len(refusalColumns(table)) > 0 {
			got += "no"
		}
		if got != want {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
}

func TestALanguageIsLeftOut(t *testing.T) {
	t.Parallel()
	for column, want := range map[string]bool{"locale": true, "Language": true, "languages_spoken": false} {
		table := inspect.Table{Name: "users", Columns: []inspect.Column{{Name: "email", Kind: inspect.Text}, {Name: column, Kind: inspect.Text}}}
		catalog := &inspect.Catalog{Dialect: inspect.SQLite, Tables: []inspect.Table{table}}
		p, err := Propose(catalog, &catalog.Tables[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(p.FieldNotes, column+" is left out: Owlat's API cannot set a contact's language."); got != want {
			t.Errorf("%s: %q", column, p.FieldNotes)
		}
	}
}
