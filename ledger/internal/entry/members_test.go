package entry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
)

// numbered gives topics numbers and returns what topicsColumn would say of them.
type numbered struct {
	ids    map[string]int64
	column strings.Builder
}

func (n *numbered) number(topic string) (int64, error) {
	if id, ok := n.ids[topic]; ok {
		return id, nil
	}
	if n.ids == nil {
		n.ids = make(map[string]int64)
	}
	id := int64(len(n.ids)*len(n.ids)*100 + 1)
	n.ids[topic] = id
	fmt.Fprintf(&n.column, "%d:%d:%s", id, len(topic), topic)
	return id, nil
}

func TestMembershipsComeBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	at := func() time.Time {
		if random.IntN(2) == 0 {
			return time.Time{}
		}
		return time.UnixMicro(random.Int64N(1<<52) - 1<<50).UTC()
	}
	states := append(memberStates[1:len(memberStates):len(memberStates)], "", "a state of later", "ä\x00:")
	topics := []string{"", "k57topic", "2:3:4", "ä\n\x00\xff:", strings.Repeat("long ", 100)}
	var n numbered
	for range 2000 {
		var want []ledger.Membership
		for range random.IntN(6) {
			want = append(want, ledger.Membership{
				Topic: topics[random.IntN(len(topics))], State: states[random.IntN(len(states))], Consent: random.IntN(2) == 0, Unmailed: random.IntN(2) == 0,
				At: at(), Renewed: at(), Sent: at(), Pending: at(), Off: at(),
			})
		}
		stored, err := EncodeMembers(want, n.number)
		if err != nil {
			t.Fatal(err)
		}
		bytes := stored
		got, err := DecodeMembers(bytes, []byte(n.column.String()))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		for cut := range len(bytes) { // a prefix that ends with a membership is one of fewer
			if got, err := DecodeMembers(bytes[:cut], []byte(n.column.String())); err == nil && len(got) > 0 && !cmp.Equal(want[:len(got)], got) || err != nil && !errors.Is(err, ledger.ErrCorrupt) {
				t.Fatalf("cut after %d bytes: %+v, %v", cut, got, err)
			}
		}
	}
}

// TestTheStatesKeepTheirBytes fails if the order of the states changes: ledgers have their bytes.
func TestTheStatesKeepTheirBytes(t *testing.T) {
	t.Parallel()
	for state, want := range map[ledger.MembershipState]byte{
		ledger.MemberWanted: 1, ledger.MemberSent: 2, ledger.MemberAdded: 3, ledger.MemberSkipped: 4, ledger.MemberOut: 5, ledger.MemberUnknown: 6,
		ledger.MemberOptedOut: 7, ledger.MemberLeft: 8, ledger.MemberLeaving: 9, ledger.MemberUnsure: 10,
	} {
		var n numbered
		stored, err := EncodeMembers([]ledger.Membership{{Topic: "a", State: state}}, n.number)
		if err != nil || len(stored) != 3 || stored[1] != want {
			t.Errorf("%s is stored as %v: %v", state, stored, err)
		}
	}
}

func TestMembershipsOfAnUnknownTopicAreCorrupt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ stored, topics string }{
		"no such topic":      {"\x04\x03\x00", "1:1:a"},
		"no topics":          {"\x02\x03\x00", ""},
		"a later state":      {"\x02\x7f\x00", "1:1:a"},
		"topics without end": {"\x04\x03\x00", "1:9:a"},
		"senseless topics":   {"\x04\x03\x00", "1:x:a"},
	} {
		if ms, err := DecodeMembers([]byte(c.stored), []byte(c.topics)); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s: %+v, %v", name, ms, err)
		}
	}
}

func FuzzDecodeMembers(f *testing.F) {
	f.Add([]byte("\x02\x03\x05\xb6\x9d\x9e\xaf\xbb\xd6\xb0\x06"), []byte("1:5:topic"))
	f.Fuzz(func(t *testing.T, stored, topics []byte) {
		if _, err := DecodeMembers(stored, topics); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
			t.Error(err)
		}
	})
}
