package policy

import (
	"context"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// The budget rests on the VM asking Done before every instruction, once. The
// counts are those of the compiled programs, instruction by instruction.
func TestTheVMAsksBeforeEveryInstruction(t *testing.T) {
	settle()
	for _, c := range []struct {
		name, source string
		want         int
	}{
		{"nothing", ``, 1},                                 // RETURN
		{"a constant", `local a = 1`, 2},                   // LOADK RETURN
		{"a sum", `local a = 1; local b = a + a`, 3},       // LOADK ADD RETURN
		{"a loop", `for i = 1, 10 do local a = i end`, 26}, // 3 LOADK, FORPREP, 11 FORLOOP, 10 MOVE, RETURN
		{"a call", `local function f() end f() f()`, 8},    // CLOSURE, twice MOVE CALL and the callee's RETURN, RETURN
	} {
		fn := func() *lua.FunctionProto {
			L := lua.NewState(lua.Options{SkipOpenLibs: true})
			defer L.Close()
			f, err := L.LoadString(c.source)
			if err != nil {
				t.Fatal(err)
			}
			return f.Proto
		}()
		st := newState(nil)
		st.b.reset(context.Background(), ControlLimits, time.Now(), time.Time{})
		if err := st.call(st.L.NewFunctionFromProto(fn), 0); err != nil {
			t.Fatal(err)
		}
		if st.b.asked != c.want || st.b.used() != c.want {
			t.Errorf("%s: asked %d times, counted %d, want %d", c.name, st.b.asked, st.b.used(), c.want)
		}
		st.L.Close()
	}
}
