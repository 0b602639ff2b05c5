package page

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/session"
	"owlatsync/ledger"
)

// loginView is the form to sign in.
type loginView struct {
	Next    string // where to go then
	Name    string // as it was typed
	Refused string // why it did not work
	Hint    string
}

func showLogin(c *call) error {
	switch next := local(c.r.URL.Query().Get("next")); {
	case c.who.Name != "":
		http.Redirect(c.w, c.r, next, http.StatusSeeOther)
	case c.parts.Sessions.Empty():
		return &unknownError{}
	default:
		c.show(http.StatusOK, "login", "Sign in", loginView{Next: next})
	}
	return nil
}

func signIn(c *call) error {
	form := c.r.PostForm
	next, name := local(form.Get("next")), form.Get("name")
	former := c.id
	id, who, err := c.parts.Sessions.SignIn(c.r, name, form.Get("password"))
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		level := slog.LevelDebug // what anybody can cause without limit
		if refusal.Code == session.CodePassword {
			level = slog.LevelWarn
		}
		// What was typed as the name may be the password, so the log does not have it.
		c.log.Log(c.r.Context(), level, "somebody could not sign in", "client", c.parts.Gate.Client(c.r).String(), "error", err)
		c.show(refusal.Status, "login", "Sign in", loginView{next, name, sentence(refusal.Message), sentence(refusal.Hint)})
		if refusal.Code == session.CodePassword {
			c.noteRefused(who)
		}
		return nil
	}
	if err != nil {
		return err
	}
	_ = c.parts.Sessions.SignOut(c.r.Context(), former) // it ends by itself, and the browser forgets it
	c.parts.Sessions.Give(c.w, c.r, id)
	c.log.Info("somebody signed in", "account", session.SignInName(who.Name, who.Deployment), "role", string(who.Role), "client", c.parts.Gate.Client(c.r).String())
	c.note(who, ledger.AuditLine{What: ledger.DeedSignIn})
	http.Redirect(c.w, c.r, next, http.StatusSeeOther)
	return nil
}

// noteRefused adds a line to the audit about sign-ins that were refused, as of the one whose name was tried last.
func (c *call) noteRefused(who access.Principal) {
	if who.Name == "" {
		who.Name = stranger
	}
	if n := c.refusals.add(time.Now()); n > 0 {
		c.note(who, ledger.AuditLine{What: ledger.DeedSignInRefused, Count: n})
	}
}

func signOut(c *call) error {
	if err := c.parts.Sessions.SignOut(c.r.Context(), c.id); err != nil {
		return err
	}
	c.parts.Sessions.TakeBack(c.w, c.r)
	if c.who.Name != "" {
		c.log.Info("somebody signed out", "account", session.SignInName(c.who.Name, c.who.Deployment))
		if !c.parts.Gate.Open() {
			c.note(c.who, ledger.AuditLine{What: ledger.DeedSignOut})
		}
	}
	http.Redirect(c.w, c.r, "/login", http.StatusSeeOther)
	return nil
}

// local returns an address of this page, the first one if the text is something else: a form must not lead to another site.
func local(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") ||
		strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r < ' ' }) || u.Path == "/login" || u.Path == "/logout" {
		return "/"
	}
	return u.RequestURI()
}
