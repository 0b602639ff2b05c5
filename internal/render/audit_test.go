package render

import (
	"strings"
	"testing"
	"time"

	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// TestTheAuditNamesTheDeploymentInItsAdvice, because with several the command needs it.
func TestTheAuditNamesTheDeploymentInItsAdvice(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	line := ledger.AuditLine{Number: 7, At: time.Unix(0, 0), Who: "ada", Way: ledger.ByPage, What: ledger.DeedApprove}
	if err := Audit(To{W: &text}, []ledger.AuditLine{line}, true, words.Typed{Deployment: "acme"}); err != nil {
		t.Fatal(err)
	}
	if want := "\nEarlier ones: \"owlat-sync audit --before 7 --deployment acme\"\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("it ends with other than %q:\n%s", want, &text)
	}
}
