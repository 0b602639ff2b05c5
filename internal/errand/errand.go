package errand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"owlatsync/owlat"
)

// The kinds of what is sealed.
const (
	kindErrand = "errand"
	kindReport = "report"
)

// report is what became of an errand. One of its fields is set.
type report struct {
	Answer *owlat.Answer `json:"answer,omitempty"`
	Failed *failure      `json:"failed,omitempty"`
}

// failure says why there is no answer.
type failure struct {
	Message string `json:"message"` // without addresses
	Sent    bool   `json:"sent"`    // the request may have taken effect
	Timeout bool   `json:"timeout,omitempty"`
}

// Carrier does errands with the budget that it is given. It is safe for concurrent use.
type Carrier struct {
	client *owlat.Client
	seal   seal
}

// NewCarrier returns a carrier that sends with the client, whose key is apiKey.
func NewCarrier(client *owlat.Client, apiKey string) (*Carrier, error) {
	s, err := newSeal(apiKey)
	return &Carrier{client, s}, err
}

// Carry does an errand and returns what became of it. Its error says that the errand could not be read, and was not done.
func (c *Carrier) Carry(ctx context.Context, sealed json.RawMessage) (json.RawMessage, error) {
	var r owlat.Forwarded
	if err := c.seal.open(kindErrand, sealed, &r); err != nil {
		return nil, fmt.Errorf("read what is asked for: %w", err)
	}
	var done report
	answer, err := c.client.Forward(ctx, r)
	if err != nil {
		done.Failed = &failure{Message: err.Error(), Sent: owlat.OutcomeUnknown(err), Timeout: errors.Is(err, owlat.ErrTimeout)}
		if transport, ok := errors.AsType[*owlat.TransportError](err); ok {
			done.Failed.Message = transport.Err.Error() // whoever asks says what was sent
		}
	} else {
		done.Answer = answer
	}
	return c.seal.close(kindReport, done)
}
