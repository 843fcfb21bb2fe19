package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// aliasFields are the fields of inputs and answers that hold aliases: a text, or
// a list of them. A record that is called so is looked into as any other.
var aliasFields = []string{"alias", "aliases", "dialled", "findme_id"}

// plainFields of answers and steps hold words of the rules and names of the
// configuration: they stay, whatever they have in common with an alias.
var plainFields = []string{"action", "act", "code", "hook", "id", "kind", "mode", "name", "outcome", "pipe", "reset", "rule", "script",
	"severity", "stage", "state", "subzone", "version", "zone"}

// Texts shorter than this are left in a text: they say nothing of an alias, and
// would be found in every word.
const shortestMasked = 3

// masks are the aliases of one decision with what stands for them: *1, *2 … for
// what is before the @, which stays with what is behind it. One alias has the
// same mask wherever the decision names it, and another decision's says nothing
// of it.
//
// Source: reference/policy-api.md section 9 (policy.mask_aliases).
type masks struct {
	users []string // in small letters, as they were found
}

// user is the part of an alias that tells who it is.
func userOf(alias string) (scheme, user, domain string) {
	for _, s := range []string{"sips:", "sip:", "h323:", "tel:"} {
		if len(alias) > len(s) && strings.EqualFold(alias[:len(s)], s) {
			scheme, alias = alias[:len(s)], alias[len(s):]
			break
		}
	}
	if i := strings.LastIndexByte(alias, '@'); i >= 0 {
		return scheme, alias[:i], alias[i:]
	}
	return scheme, alias, ""
}

func (m *masks) note(alias string) {
	if _, user, _ := userOf(alias); user != "" && !slices.Contains(m.users, lowered(user)) {
		m.users = append(m.users, lowered(user))
	}
}

// alias is what stands for an alias that was noted.
func (m *masks) alias(alias string) string {
	scheme, user, domain := userOf(alias)
	i := slices.Index(m.users, lowered(user))
	if i < 0 {
		return alias
	}
	return scheme + mask(i) + domain
}

func mask(i int) string { return fmt.Sprintf("*%d", i+1) }

// text masks the aliases in a text, and a text that is part of one.
func (m *masks) text(s string) string {
	if len(s) < shortestMasked || len(m.users) == 0 {
		return s
	}
	longest := make([]int, len(m.users))
	for i := range longest {
		longest[i] = i
	}
	slices.SortStableFunc(longest, func(a, b int) int { return len(m.users[b]) - len(m.users[a]) })
	for _, i := range longest {
		if user := m.users[i]; len(user) >= shortestMasked {
			s = replaceFold(s, user, mask(i))
		}
	}
	low := lowered(s)
	for i, user := range m.users {
		if strings.Contains(user, low) {
			return mask(i)
		}
	}
	return s
}

// replaceFold replaces every old, which is in small letters, in s.
func replaceFold(s, old, by string) string {
	low, out, from := lowered(s), strings.Builder{}, 0
	for {
		i := strings.Index(low[from:], old)
		if i < 0 {
			out.WriteString(s[from:])
			return out.String()
		}
		out.WriteString(s[from:from+i] + by)
		from += i + len(old)
	}
}

// lowered makes ASCII letters small: it keeps the length.
func lowered(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Masked is d with its aliases masked: in the input, the answer, and all that
// its steps say. Masked tells whether there was one; then it is masked once and
// for all.
//
// Errors: the decision's JSON cannot be read; then nothing of it may be kept.
func Masked(d Decision) (Decision, error) {
	if d.Masked {
		return d, nil
	}
	m := &masks{}
	steps, err := json.Marshal(d.Steps)
	if err != nil {
		return Decision{}, err
	}
	parts := []*json.RawMessage{&d.Input, &d.Answer, (*json.RawMessage)(&steps)}
	for _, part := range parts {
		if err := m.look(*part); err != nil {
			return Decision{}, fmt.Errorf("mask a decision: %w", err)
		}
	}
	if d.Looked = true; len(m.users) == 0 {
		return d, nil
	}
	d.Masked = true
	for i, part := range parts {
		*part, err = rewrite(*part, func(field, s string) string {
			switch {
			case slices.Contains(aliasFields, field):
				return m.alias(s)
			case i == 0 || slices.Contains(plainFields, field):
				return s
			}
			return m.text(s)
		})
		if err != nil {
			return Decision{}, fmt.Errorf("mask a decision: %w", err)
		}
	}
	d.Steps = nil
	return d, json.Unmarshal(steps, &d.Steps)
}

// rewrite writes JSON anew, each text as change makes it; field is the name of
// the nearest field that the text is in. The order of fields stays.
func rewrite(in json.RawMessage, change func(field, text string) string) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(in))
	d.UseNumber()
	w := &rewriter{d: d, change: change}
	if err := w.value(""); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}

type rewriter struct {
	d      *json.Decoder
	out    bytes.Buffer
	change func(field, text string) string
}

func (w *rewriter) value(field string) error {
	token, err := w.d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		return w.inside(field, v)
	case string:
		token = w.change(field, v)
	}
	return w.write(token)
}

func (w *rewriter) inside(field string, open json.Delim) error {
	w.out.WriteByte(byte(open))
	for n := 0; w.d.More(); n++ {
		if n > 0 {
			w.out.WriteByte(',')
		}
		of := field
		if open == '{' {
			name, err := w.d.Token()
			if err != nil {
				return err
			}
			if err := w.write(name); err != nil {
				return err
			}
			w.out.WriteByte(':')
			of = name.(string) // a field's name is a text: the decoder has seen to it
		}
		if err := w.value(of); err != nil {
			return err
		}
	}
	end, err := w.d.Token()
	if err != nil {
		return err
	}
	w.out.WriteByte(byte(end.(json.Delim)))
	return nil
}

func (w *rewriter) write(v any) error {
	text, err := json.Marshal(v)
	w.out.Write(text)
	return err
}

// said is a text of a script as it may leave the evaluation of input: with
// aliases masked where they are to be.
func (q *asking) said(text string, input any) string {
	if !q.p.masks() {
		return text
	}
	m, err := masksOf(input)
	if err != nil {
		return "masked"
	}
	return m.text(text)
}

func (p *Policies) masks() bool { return p.o.MaskAliases != nil && p.o.MaskAliases() }

// masksOf are the aliases of values as they are kept.
func masksOf(values ...any) (*masks, error) {
	m := &masks{}
	for _, v := range values {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if err := m.look(raw); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// look notes the aliases in JSON.
func (m *masks) look(raw json.RawMessage) error {
	_, err := rewrite(raw, func(field, s string) string {
		if slices.Contains(aliasFields, field) {
			m.note(s)
		}
		return s
	})
	return err
}
