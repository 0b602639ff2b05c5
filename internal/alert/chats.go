package alert

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of the chats, in bytes here, so that no message is refused. Slack's and Discord's are in characters.
const (
	mostSlack       = 30000
	mostTitle       = 250
	mostDescription = 4000
	mostField       = 1000
	mostNtfy        = 3800
)

var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackBody is plain text with Slack's few marks, which Mattermost and Rocket.Chat take, too.
func slackBody(m Message) any {
	lines := []string{"*" + slackEscape.Replace(m.Title) + "*", slackEscape.Replace(m.Text)}
	if m.Do != "" {
		lines = append(lines, "*What to do:* "+slackEscape.Replace(m.Do))
	}
	if m.Link != "" {
		lines = append(lines, "<"+m.Link+"|See more>")
	}
	return struct {
		Text string `json:"text"`
	}{cut(strings.Join(lines, "\n"), mostSlack)}
}

// Colours of Discord's edge.
const (
	red   = 0xd92d20
	green = 0x17803d
	grey  = 0x667085
)

func discordBody(m Message) any {
	colour := red
	switch {
	case m.Over:
		colour = green
	case m.Kind == KindTest:
		colour = grey
	}
	embed := discordEmbed{
		Title: cut(m.Title, mostTitle), Description: cut(m.Text, mostDescription), URL: m.Link, Color: colour, Timestamp: m.At.UTC().Format(time.RFC3339),
	}
	if m.Do != "" {
		embed.Fields = []discordField{{"What to do", cut(m.Do, mostField)}}
	}
	out := discordMessage{Embeds: []discordEmbed{embed}}
	out.AllowedMentions.Parse = []string{} // a name in a text calls nobody
	return out
}

type discordMessage struct {
	Embeds          []discordEmbed `json:"embeds"`
	AllowedMentions struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
}

type discordEmbed struct {
	Title       string         `json:"title"`
	Description string         `json:"description"`
	URL         string         `json:"url,omitempty"`
	Color       int            `json:"color"`
	Timestamp   string         `json:"timestamp"`
	Fields      []discordField `json:"fields,omitempty"`
}

type discordField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ntfyTo splits the address of a topic into that of its server, which takes JSON, and the topic.
func ntfyTo(address string) (server, topic string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", false
	}
	path := strings.TrimRight(u.Path, "/")
	i := strings.LastIndexByte(path, '/')
	if i < 0 || path[i+1:] == "" {
		return "", "", false
	}
	topic = path[i+1:]
	u.Path, u.RawPath = path[:i+1], ""
	return u.String(), topic, true
}

// ntfyBody returns what makes the messages of a topic.
func ntfyBody(topic string) func(Message) any {
	return func(m Message) any {
		priority, tag := 4, "warning"
		switch {
		case m.Over:
			priority, tag = 3, "white_check_mark"
		case m.Kind == KindTest:
			priority, tag = 3, "bell"
		}
		text := m.Text
		if m.Do != "" {
			text += "\n\nWhat to do: " + m.Do
		}
		return ntfyMessage{topic, cut(m.Title, mostTitle), cut(text, mostNtfy), priority, []string{tag}, m.Link}
	}
}

type ntfyMessage struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Priority int      `json:"priority"` // 3 is the usual one, 5 the highest
	Tags     []string `json:"tags"`
	Click    string   `json:"click,omitempty"`
}

// bearer returns the header of a token, none for an empty one.
func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}
