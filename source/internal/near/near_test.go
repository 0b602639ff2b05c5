package near

import "testing"

func TestMeant(t *testing.T) {
	t.Parallel()
	names := []string{"id", "email", "first_name", "last_name", "x@example.com"}
	for name, want := range map[string]string{
		"emial": "email", "Email": "email", "e_mail": "email", "mail": "email", "firstname": "first_name", "FIRST_NAME": "first_name",
		"lastname": "last_name", "ID": "id", "uid": "id", "newsletter": "", "a": "", "y@example.com": "",
	} {
		if got := Meant(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
