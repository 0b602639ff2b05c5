package owlat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"owlatsync/owlat/internal/preference"
	"owlatsync/owlat/internal/token"
	"owlatsync/owlat/internal/wire"
)

// DefaultPreferencesRate is how many requests of [Preferences] a client sends a second at most without [WithPreferencesRate].
const DefaultPreferencesRate = 20

// Preferences shows the memberships of a contact and opts it out, which the API cannot: by the public token endpoints that the links
// in Owlat's mails use. It needs the secret that signs these links ([WithUnsubscribeSecret]). Its requests carry no API key and take
// nothing of the key's budget; they have a limiter of their own, which slows down while the deployment answers slowly or fails. What
// observers see of them has ByToken set.
//
// A third endpoint of Owlat, POST /prefs/update, is left out on purpose. It subscribes people without double opt-in: nobody would be
// asked to confirm. [Topics.Add] is the way to subscribe somebody.
type Preferences struct{ core *core }

// ContactPreferences is what a person sees on the preference page.
type ContactPreferences struct {
	Email     string // "" if the contact has none
	FirstName string
	TeamName  string
	Topics    []TopicPreference // all topics of the deployment
}

// TopicPreference is a topic, and whether the contact is on it.
type TopicPreference struct {
	ID          string
	Name        string
	Description string
	// Subscribed is also true for a membership that waits until the person confirms (double opt-in).
	Subscribed bool
}

// Subscribed reports whether the contact is on the topic with that id, and whether the deployment has such a topic.
func (p *ContactPreferences) Subscribed(topicID string) (member, known bool) {
	for _, t := range p.Topics {
		if t.ID == topicID {
			return t.Subscribed, true
		}
	}
	return false, false
}

// OptOutResult is what an opt-out ended.
type OptOutResult struct {
	Message    string // Owlat's
	TopicsLeft int    // memberships that it ended; 0 also if the answer does not tell
}

const (
	routePreferences = "/prefs/verify/{token}"
	routeOptOut      = "/unsub/{token}"
)

// Configured reports whether the client has an unsubscribe secret.
func (p *Preferences) Configured() bool { return p.core.tokens != nil }

// Rate returns how many requests of Preferences a second the client sends at most as things stand.
func (p *Preferences) Rate() float64 { return p.core.gentle.Rate() }

// Get returns all topics of the deployment, and which of them the contact with this id is on: GET /prefs/verify/{token}. It changes
// nothing. Neither the double opt-in state nor an opt-out of everything is shown: who opted out is on no topic.
//
// It fails with [ErrNoUnsubscribeSecret] and, for what is no id, [ErrInvalidInput] before anything is sent. The deployment's refusals
// are a [*PreferencesError]. A contact that was deleted by the API, or never was, is [ErrNotFound] or [ErrInternal]; one that was
// deleted in the dashboard or merged into another one is shown as being on no topic.
func (p *Preferences) Get(ctx context.Context, contactID string) (*ContactPreferences, error) {
	got, err := byToken[preference.Contact](ctx, p.core, call{method: http.MethodGet, route: routePreferences}, token.Preferences, contactID)
	if err != nil {
		return nil, err
	}
	out := &ContactPreferences{Email: got.Email, FirstName: got.FirstName, TeamName: got.TeamName, Topics: make([]TopicPreference, len(*got.Topics))}
	for i, t := range *got.Topics {
		out.Topics[i] = TopicPreference{ID: t.ID, Name: t.Name, Description: t.Description, Subscribed: *t.Subscribed}
	}
	return out, nil
}

// OptOut opts the contact with this id out of everything, as the link in a mail does: POST /unsub/{token}. It ends all memberships and
// sets the contact's global opt-out; Owlat tells webhooks of it. An add to a topic lifts that opt-out again (see [Topics.Add]).
// Repeating it changes nothing, so that it is also sent again after a lost answer; TopicsLeft may be 0 then. It fails as [Preferences.Get].
func (p *Preferences) OptOut(ctx context.Context, contactID string) (*OptOutResult, error) {
	got, err := byToken[preference.OptOut](ctx, p.core, call{method: http.MethodPost, route: routeOptOut}, token.Unsubscribing, contactID)
	if err != nil {
		return nil, err
	}
	return &OptOutResult{Message: got.Message, TopicsLeft: int(got.ListsRemoved)}, nil
}

// byToken makes a call with a token for the contact, a new one for each attempt, and returns the data of its answer.
func byToken[T any](ctx context.Context, c *core, cl call, prefix, contactID string) (*T, error) {
	switch {
	case c.tokens == nil:
		return nil, ErrNoUnsubscribeSecret
	case !token.IsContact(contactID):
		return nil, cl.refuse("the contact id is none: at least 10 letters, digits, hyphens and underscores; an address will not do")
	}
	before, _, _ := strings.Cut(cl.route, "{")
	cl.link = func() string {
		var path strings.Builder
		path.WriteString(before)
		wire.Escape(&path, c.tokens.Make(prefix, contactID))
		return path.String()
	}
	ans, err := c.do(ctx, cl)
	if err != nil {
		var refusal *Error
		if errors.As(err, &refusal) && refusal.FromOwlat() {
			if reason := preference.ReasonOf(refusal.Data); reason != "" {
				return nil, &PreferencesError{Reason: PreferencesReason(reason), Status: refusal.StatusCode, method: cl.method, route: cl.route}
			}
		}
		return nil, err
	}
	var outcome preference.Outcome[T]
	if err := ans.unmarshal(&outcome); err != nil {
		return nil, err
	}
	data, reason, err := outcome.Read()
	switch {
	case err != nil:
		return nil, ans.unreadable(err)
	case reason != "":
		return nil, &PreferencesError{Reason: PreferencesReason(reason), Status: ans.status, method: cl.method, route: cl.route}
	}
	if whole, ok := any(data).(interface{ Lacks() string }); ok {
		if missing := whole.Lacks(); missing != "" {
			return nil, ans.unreadable(errors.New(missing))
		}
	}
	return data, nil
}

// ErrNoUnsubscribeSecret is the error of [Preferences] without a secret.
var ErrNoUnsubscribeSecret = errors.New("owlat: the client has no unsubscribe secret; hand in the deployment's UNSUBSCRIBE_SECRET by WithUnsubscribeSecret")

// PreferencesReason is Owlat's word for why it refuses a token. Others than these may come.
type PreferencesReason string

// The reasons that Owlat gives.
const (
	ReasonInvalidFormat    PreferencesReason = "invalid_format"
	ReasonMissingParts     PreferencesReason = "missing_parts"
	ReasonInvalidSignature PreferencesReason = "invalid_signature" // another secret
	ReasonExpired          PreferencesReason = "expired"
	ReasonContactNotFound  PreferencesReason = "contact_not_found"
)

// PreferencesError is a refusal of a token. With [ReasonContactNotFound] it matches [ErrNotFound]. Nothing else of a deployment that
// refuses one token for another reason will be different for the next one.
type PreferencesError struct {
	Reason PreferencesReason // at most 64 characters, on one line
	Status int               // 200 for a refusal of Get

	method, route string
}

// Error says what happened and what to do.
func (e *PreferencesError) Error() string {
	hint := "this reason is not known; the deployment's log may tell more"
	switch e.Reason {
	case ReasonInvalidSignature:
		hint = "the deployment signs with another secret; compare the unsubscribe secret with UNSUBSCRIBE_SECRET of this very deployment"
	case ReasonExpired:
		hint = "the deployment takes a new token for too old; compare this machine's clock with the deployment's"
	case ReasonContactNotFound:
		hint = "no contact has this id any more; it was deleted"
	case ReasonInvalidFormat, ReasonMissingParts:
		hint = "the token did not arrive as it was sent; look for a proxy that changes paths, and at the version of Owlat"
	}
	return fmt.Sprintf("owlat: %s %s: %d %s: %s", e.method, e.route, e.Status, e.Reason, hint)
}

// Is matches ErrNotFound where the contact is not found.
func (e *PreferencesError) Is(target error) bool {
	return target == ErrNotFound && e.Reason == ReasonContactNotFound
}
