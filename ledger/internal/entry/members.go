package entry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"owlatsync/ledger"
)

// Memberships are kept as one value, one after the other: the number of the topic, a byte for the state (0: a state that is
// not in memberStates, which follows with its length), a byte of flags, and the times that the flags name. Numbers are varints, and
// times are in microseconds since 1970.

// memberStates are the states that have a byte. Their order is part of the format.
var memberStates = [...]ledger.MembershipState{
	1: ledger.MemberWanted, ledger.MemberSent, ledger.MemberAdded, ledger.MemberSkipped, ledger.MemberOut, ledger.MemberUnknown,
	ledger.MemberOptedOut, ledger.MemberLeft, ledger.MemberLeaving, ledger.MemberUnsure,
}

// Flags of a membership.
const (
	memberConsents = 1 << iota
	memberUnmailed
	memberAt
	memberRenewed
	memberSent
	memberPending
	memberOff
)

// EncodeMembers returns memberships as they are stored, nil if there are none. Number returns the number of a topic.
func EncodeMembers(ms []ledger.Membership, number func(topic string) (int64, error)) ([]byte, error) {
	if len(ms) == 0 {
		return nil, nil
	}
	b := make([]byte, 0, 16*len(ms))
	for i := range ms {
		topic, err := number(ms[i].Topic)
		if err != nil {
			return nil, err
		}
		b = binary.AppendVarint(b, topic)
		state := max(0, slices.Index(memberStates[1:], ms[i].State)+1)
		if b = append(b, byte(state)); state == 0 {
			b = append(binary.AppendUvarint(b, uint64(len(ms[i].State))), ms[i].State...)
		}
		flags := byte(0)
		if ms[i].Consent {
			flags |= memberConsents
		}
		if ms[i].Unmailed {
			flags |= memberUnmailed
		}
		times := memberTimes(&ms[i])
		for flag, at := range times {
			if !at.IsZero() {
				flags |= memberAt << flag
			}
		}
		b = append(b, flags)
		for _, at := range times {
			if !at.IsZero() {
				b = binary.AppendVarint(b, at.UnixMicro())
			}
		}
	}
	return b, nil
}

// memberTimes are the times of a membership in the order of their flags.
func memberTimes(m *ledger.Membership) [5]*time.Time {
	return [5]*time.Time{&m.At, &m.Renewed, &m.Sent, &m.Pending, &m.Off}
}

var errMembers = errors.New("the memberships of an entry cannot be read")

// DecodeMembers is the inverse of EncodeMembers. Topics has every topic after its number and its length, as topicsColumn says them.
func DecodeMembers(b, topics []byte) (ms []ledger.Membership, err error) {
	r := reader{b: b}
	for len(r.b) > 0 && !r.broken {
		var m ledger.Membership
		number, known := r.varint(), false
		if m.Topic, known = topicOf(topics, number); !known {
			r.broken = true
		}
		state := int(r.byte())
		switch {
		case state == 0:
			m.State = ledger.MembershipState(r.text())
		case state < len(memberStates):
			m.State = memberStates[state]
		default:
			r.broken = true
		}
		flags := r.byte()
		m.Consent, m.Unmailed = flags&memberConsents != 0, flags&memberUnmailed != 0
		for flag, at := range memberTimes(&m) {
			if flags&(memberAt<<flag) != 0 {
				*at = time.UnixMicro(r.varint()).UTC()
			}
		}
		ms = append(ms, m)
	}
	if r.broken {
		return nil, fmt.Errorf("%w (%w)", ledger.ErrCorrupt, errMembers)
	}
	return ms, nil
}

// topicsColumn is a column that has every topic after its number and its length. SQLite makes it once for a query, as of the same instant as
// the rows, so that nobody need know the topics beforehand.
const topicsColumn = "(SELECT group_concat(id || ':' || length(CAST(topic AS BLOB)) || ':' || topic, '') FROM topics)"

// topicOf returns the topic with the number.
func topicOf(topics []byte, number int64) (topic string, known bool) {
	for len(topics) > 0 {
		id, rest, _ := bytes.Cut(topics, []byte(":"))
		size, rest, _ := bytes.Cut(rest, []byte(":"))
		length, err := strconv.Atoi(string(size))
		if err != nil || length < 0 || length > len(rest) {
			return "", false
		}
		if n, err := strconv.ParseInt(string(id), 10, 64); err == nil && n == number {
			return string(rest[:length]), true
		}
		topics = rest[length:]
	}
	return "", false
}

// reader reads values from the front of b. Once it is broken, what it returns is of no use.
type reader struct {
	b      []byte
	broken bool
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.broken = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.broken = nil, true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if taken := r.take(1); len(taken) == 1 {
		return taken[0]
	}
	return 0
}

func (r *reader) text() string {
	size, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.broken = nil, true
		return ""
	}
	r.b = r.b[n:]
	return string(r.take(size))
}
