package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/scratch"
	"owlatsync/reconcile/step"
)

// quiet is a teller that nobody listens to.
func quiet() *progress.Teller {
	return progress.NewTeller(progress.About{Sync: "users"}, nil, func() (n owlatsync.RequestCounts) { return n }, func(int) time.Duration { return 0 })
}

// noNotes takes in what nobody asks for.
type noNotes struct{}

func (noNotes) Note(string, owlatsync.Outcome) {}
func (noNotes) Waits(time.Time)                {}

func TestRenameLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		renames []string // "from>to"
		want    string   // level of each, x: none
	}{
		{"alone", []string{"a>z"}, "0"},
		{"chain, last first", []string{"a>b", "b>c", "c>d"}, "2 1 0"},
		{"chain, first first", []string{"c>d", "b>c", "a>b"}, "0 1 2"},
		{"swap", []string{"a>b", "b>a"}, "x x"},
		{"ring of three", []string{"a>b", "b>c", "c>a"}, "x x x"},
		{"leading into a ring", []string{"q>a", "a>b", "b>a", "r>q"}, "x x x x"},
		{"a ring and a chain", []string{"a>b", "b>a", "m>n", "n>o"}, "x x 1 0"},
	} {
		for _, memory := range []int{0, 1 << 20} {
			t.Run(fmt.Sprint(tt.name, memory), func(t *testing.T) {
				t.Parallel()
				p := New(Needs{Ledger: empty(), Policies: &policy.Policies{}, Place: &scratch.Place{Folder: t.TempDir(), Most: memory}, Tell: quiet(), Notes: noNotes{}})
				for _, r := range tt.renames {
					from, to, _ := strings.Cut(r, ">")
					it := &step.Step{
						Row: &step.Row{Key: r, Email: to}, Entry: &ledger.Entry{Email: from},
						Changes: []owlatsync.Change{{Kind: owlatsync.RenameContact}},
					}
					it.Awaits = slices.ContainsFunc(tt.renames, func(other string) bool { return strings.HasPrefix(other, to+">") })
					var err error
					if it.Phase = step.Rename; it.Awaits {
						err = p.plan.renames.add(it)
					} else {
						err = p.add(it)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := (ordering{p}).orderRenames(); err != nil {
					t.Fatal(err)
				}
				levels := make(map[string]string)
				for st, err := range p.plan.Steps(step.Rename) {
					if err != nil {
						t.Fatal(err)
					}
					levels[st.Row.Key] = fmt.Sprint(st.Order)
				}
				for st, err := range p.plan.Refused() {
					if err != nil {
						t.Fatal(err)
					}
					levels[st.Row.Key] = "x"
				}
				var got []string
				for _, r := range tt.renames {
					got = append(got, levels[r])
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("levels %s, want %s", strings.Join(got, " "), tt.want)
				}
				if err := p.plan.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
