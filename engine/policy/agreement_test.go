package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hexad/engine"
	"hexad/engine/policy"
)

// capacityOf repeats the rule of capacity in Go, another way round.
// Source: reference 3.2, 3.3.
func capacityOf(in engine.CapacityRequest) (calls, registrations int) {
	var c, r []int
	reachable, small := 0, false
	for _, p := range in.Peers {
		c, r = append(c, p.CallsCapacity), append(r, p.RegistrationsCapacity)
		if p.Reachable {
			reachable++
		}
		small = small || p.Size == "small"
	}
	n := min(max(reachable, 1), 4)
	if small {
		n = 1
	}
	calls, registrations = n*slices.Min(c), n*slices.Min(r)
	licensed, limited := 0, false
	for _, p := range in.Peers {
		for _, family := range []string{"room_registrations", "desktop_registrations"} {
			n, ok := p.Licences[family]
			if limited = limited || ok; p.Reachable || p.UnseenS < 14*86400 {
				licensed += n
			}
		}
	}
	if limited {
		registrations = min(registrations, licensed)
	}
	return calls, registrations
}

func TestCapacityAgreesWithAnOracle(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{Scripts: builtin()})
	licences := rapid.MapOf(rapid.SampledFrom([]string{"room_registrations", "desktop_registrations", "rich_media_sessions"}), rapid.IntRange(0, 9000))
	peer := rapid.Custom(func(t *rapid.T) engine.CapacityPeer {
		return engine.CapacityPeer{
			Size:          rapid.SampledFrom([]string{"small", "medium", "large", "large", "medium"}).Draw(t, "size"),
			CallsCapacity: rapid.IntRange(0, 500).Draw(t, "calls"), RegistrationsCapacity: rapid.IntRange(0, 5000).Draw(t, "registrations"),
			Reachable: rapid.IntRange(0, 3).Draw(t, "reachable") > 0, Licences: licences.Draw(t, "licences"),
			UnseenS: 60 * rapid.IntRange(0, 30*24*60).Draw(t, "unseen"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		in := engine.CapacityRequest{Peers: rapid.SliceOfN(peer, 1, 6).Draw(t, "peers")}
		got := p.Capacity(context.Background(), in)
		if calls, registrations := capacityOf(in); got.Calls != calls || got.Registrations != registrations || got.Degraded != nil {
			t.Fatalf("got %+v, want %d calls and %d registrations", got, calls, registrations)
		}
	})
}

// gateOf repeats the rule of restart_order in Go.
// Source: reference 2.13, 11.
func gateOf(in engine.GateRequest) (engine.GateAction, int) {
	primary := slices.IndexFunc(in.Peers, func(p engine.PeerRecord) bool { return p.Index == in.Cluster.PrimaryIndex })
	if primary >= 0 && in.Peers[primary].Reachable && in.Peer != in.Peers[primary].Address && !slices.Contains(in.Restarted, in.Peers[primary].Address) {
		return engine.GateReject, 0
	}
	for _, p := range in.Peers {
		ready := p.Reachable && p.State == "active" && (primary < 0 || p.Config.Revision == in.Peers[primary].Config.Revision)
		if p.Address != in.Peer && !ready {
			return engine.GateWait, 5
		}
	}
	if s := in.SinceRestartS; s >= 0 && s < 5 {
		return engine.GateWait, 5 - s
	}
	if s := in.SinceChangeS; s >= 0 && s < 5 {
		return engine.GateWait, 5 - s
	}
	return engine.GateGo, 0
}

func TestRestartOrderAgreesWithAnOracle(t *testing.T) {
	t.Parallel()
	p := open(t, policy.Options{Scripts: builtin()})
	rapid.Check(t, func(t *rapid.T) {
		in := engine.GateRequest{
			Step:         rapid.SampledFrom([]string{"restart", "reboot", "upgrade"}).Draw(t, "step"),
			SinceChangeS: rapid.IntRange(-1, 400).Draw(t, "change"), SinceRestartS: rapid.IntRange(-1, 200).Draw(t, "restart"),
		}
		in.Cluster.PrimaryIndex = rapid.IntRange(1, 4).Draw(t, "primary")
		n := rapid.IntRange(1, 6).Draw(t, "peers")
		for i := range n {
			in.Peers = append(in.Peers, engine.PeerRecord{
				Index: i + 1, Address: fmt.Sprint("p", i), Reachable: rapid.IntRange(0, 5).Draw(t, "reachable") > 0,
				State:  rapid.SampledFrom([]string{"active", "active", "active", "active", "failed"}).Draw(t, "state"),
				Config: engine.PeerConfigRecord{Revision: int64(rapid.SampledFrom([]int{7, 7, 7, 7, 6}).Draw(t, "revision"))},
			})
			if rapid.Bool().Draw(t, "restarted") {
				in.Restarted = append(in.Restarted, fmt.Sprint("p", i))
			}
		}
		in.Peer = fmt.Sprint("p", rapid.IntRange(0, n-1).Draw(t, "peer"))
		got := p.Gate(context.Background(), in)
		if action, seconds := gateOf(in); got.Action != action || got.Seconds != seconds || got.Degraded != nil {
			t.Fatalf("got %+v, want %s %d", got, action, seconds)
		}
	})
}

// scramble changes an input at random: the same for the same seed.
func scramble(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		if r.IntN(3) == 0 {
			v.SetString([]string{"", "a", "00441632960123", "x@example.com", "primary", "busy", "noanswer", "h323", "default"}[r.IntN(9)])
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.IntN(400)))
	case reflect.Float64:
		v.SetFloat(r.Float64() * 100)
	case reflect.Slice:
		n := r.IntN(v.Len() + 3)
		out := reflect.MakeSlice(v.Type(), n, n)
		reflect.Copy(out, v)
		v.Set(out)
		for i := range n {
			scramble(v.Index(i), r)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			scramble(v.Field(i), r)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fresh := reflect.New(v.Type().Elem())
			fresh.Elem().Set(v.Elem())
			scramble(fresh.Elem(), r)
			v.Set(fresh)
		}
	}
}

var inputTypes = map[string]any{
	"cluster.validate": engine.ClusterInput{}, "keys.compare": engine.KeysInput{}, "peer.prerequisites": engine.PrerequisitesInput{},
	"cluster.peers_changed": engine.PeersChangedInput{}, "peer.identity": engine.IdentityInput{}, "procedure.gate": engine.GateRequest{},
	"capacity.limit": engine.CapacityRequest{}, "registration.admit": engine.RegistrationRequest{}, "call.admit": engine.CallRequest{},
	"search.transform": engine.SearchRequest{}, "search.route": engine.RouteRequest{}, "findme.resolve": engine.FindMeRequest{},
	"bandwidth.admit": engine.BandwidthRequest{}, "alarm.react": engine.AlarmRequest{},
}

// A script that tells everything that it sees, in the order in which it sees it.
const tellAll = `local function tell(v, depth)
  if type(v) ~= "table" then return tostring(v) end
  local parts = {}
  if depth > 8 then return "deep" end
  for k, e in pairs(v) do parts[#parts + 1] = tostring(k) .. "=" .. tell(e, depth + 1) end
  return "{" .. #v .. ":" .. table.concat(parts, ",") .. "}"
end
`

// Every hook answers random inputs the same on two states in two orders, and
// what a script sees does not depend on what was seen before.
// Source: reference/policy-api.md section 11, 3 and 4.
func TestEveryHookIsDeterministic(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, hook := range policy.Hooks() {
		var teller policy.Script
		if hook == "cluster.validate" || hook == "peer.prerequisites" || hook == "keys.compare" {
			teller = named("teller", scriptOf(hook, tellAll+`for i, part in ipairs({ tell(c, 0) }) do error(part) end`))
		} else {
			teller = named("teller", scriptOf(hook, tellAll+`error(tell(c, 0))`))
		}
		teller.Mode, teller.Order = policy.Shadow, 200
		scripts := append(builtin(), teller)
		a, b := open(t, policy.Options{Scripts: scripts}), open(t, policy.Options{Scripts: scripts})
		inputs := randomInputs(t, hook, 1000/len(policy.Hooks()))
		want := make([]string, len(inputs))
		for i, in := range inputs {
			want[i] = tellDecision(t, ctx, a, hook, in)
		}
		for i := len(inputs) - 1; i >= 0; i-- {
			if got := tellDecision(t, ctx, b, hook, inputs[i]); got != want[i] {
				t.Fatalf("%s, input %s\nin order   %s\nin reverse %s", hook, inputs[i], want[i], got)
			}
		}
	}
}

func randomInputs(t *testing.T, hook string, n int) [][]byte {
	t.Helper()
	var out [][]byte
	r := rand.New(rand.NewPCG(1, uint64(len(hook))))
	for range n {
		for _, name := range slices.Sorted(keysOf(policy.Fixtures(hook))) {
			in := reflect.New(reflect.TypeOf(inputTypes[hook]))
			if err := json.Unmarshal(policy.Fixtures(hook)[name], in.Interface()); err != nil {
				t.Fatal(err)
			}
			scramble(in.Elem(), r)
			b, err := json.Marshal(in.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if out = append(out, b); len(out) == n {
				return out
			}
		}
	}
	return out
}

func keysOf[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func tellDecision(t *testing.T, ctx context.Context, p *policy.Policies, hook string, input []byte) string {
	t.Helper()
	for {
		d, err := p.Evaluate(ctx, hook, input, policy.Trace{})
		if err != nil {
			t.Fatal(err)
		}
		out := string(d.Answer)
		for _, s := range d.Steps {
			out += "\n" + s.Script + " " + s.Outcome + " " + s.Detail
		}
		// a busy machine is not the script's doing
		if !strings.Contains(out, "limit.time") && !strings.Contains(out, "no time left") || t.Context().Err() != nil {
			return out
		}
	}
}
