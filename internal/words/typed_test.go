package words

import "testing"

// TestAdvisedCommandsAreComplete: whoever types a command that is advised reaches the deployment that it is about.
func TestAdvisedCommandsAreComplete(t *testing.T) {
	t.Parallel()
	typed := Typed{Config: "my file.yaml", Deployment: "acme"}
	for text, want := range map[string]string{
		`"owlat-sync feedback lift EMAIL" ends that`:                `"owlat-sync feedback lift EMAIL --deployment acme --config 'my file.yaml'" ends that`,
		"`owlat-sync retry` tries at once, \"owlat-sync plan\" too": "`owlat-sync retry --deployment acme --config 'my file.yaml'` tries at once, \"owlat-sync plan --deployment acme --config 'my file.yaml'\" too",
		`"owlat-sync plan --deployment bolt" shows it`:              `"owlat-sync plan --deployment bolt" shows it`,
		`"owlat-sync plan --config x.yaml" shows it`:                `"owlat-sync plan --config x.yaml" shows it`,
		`"owlat-sync ledger restore --help" says it`:                `"owlat-sync ledger restore --help" says it`,
		`"owlat-sync init DSN" writes one`:                          `"owlat-sync init DSN" writes one`,
		`does "owlat-sync serve" run there?`:                        `does "owlat-sync serve" run there?`,
		"owlat-sync: not found":                                     "owlat-sync: not found",
	} {
		if got := typed.Complete(text); got != want {
			t.Errorf("%s becomes\n%s, want\n%s", text, got, want)
		}
		if got := (Typed{}).Complete(text); got != text {
			t.Errorf("%s becomes %s where nothing needs to be named", text, got)
		}
	}
}

// TestCommandsAreWordsOfAShell: names with blanks and quotes stay one word.
func TestCommandsAreWordsOfAShell(t *testing.T) {
	t.Parallel()
	if got, want := (Typed{Deployment: "my shop"}).Command("plan", `it's "new"`), `owlat-sync plan --sync 'it'\''s "new"' --deployment 'my shop'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
