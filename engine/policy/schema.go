package policy

import (
	"encoding/json"
	"fmt"
)

// Schema returns the JSON Schemas (2020-12) of a hook: of what a script is
// asked, and of what it may answer; nil for a hook that does not exist. They
// serve editors, and whoever writes an input for eval by hand.
func Schema(hook string) (input, answer []byte) {
	d, ok := Describe(hook)
	if !ok {
		return nil, nil
	}
	return schemaDocument(hook, "input", d.When.EN, d.Input, false), schemaDocument(hook, "answer", d.Answers.EN, d.Answer, d.Optional)
}

func schemaDocument(hook, part, description string, f Field, optional bool) []byte {
	defs := map[string]any{}
	doc := schemaOf(f, defs)
	if optional {
		doc = orNull(doc)
	}
	doc["$schema"], doc["$id"] = "https://json-schema.org/draft/2020-12/schema", "hexad:policy/"+hook+"/"+part
	doc["title"], doc["description"], doc["$defs"] = hook+" "+part, description, defs
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("policy: schema of %s: %v", hook, err)) // maps of texts always marshal
	}
	return out
}

var jsonTypes = map[string]string{"text": "string", "number": "number", "integer": "integer", "flag": "boolean"}

// schemaOf describes f; records go to defs by their class.
func schemaOf(f Field, defs map[string]any) map[string]any {
	out := map[string]any{}
	switch f.Type {
	case "list":
		out["type"], out["items"] = []string{"array", "null"}, schemaOf(*f.Elem, defs) // Go writes an empty list as null
	case "map":
		out["type"], out["additionalProperties"] = []string{"object", "null"}, schemaOf(*f.Elem, defs)
	case "record":
		define(f, defs)
		out["$ref"] = "#/$defs/" + f.Class
	default:
		out["type"] = jsonTypes[f.Type]
		if f.Enum != nil {
			out["enum"] = f.Enum
		}
	}
	if f.Note.EN != "" {
		out["description"] = f.Note.EN
	}
	return out
}

func define(f Field, defs map[string]any) {
	if _, ok := defs[f.Class]; ok {
		return
	}
	def := map[string]any{"type": "object", "additionalProperties": false}
	defs[f.Class] = def // before the fields, which may name it again
	properties, required := map[string]any{}, []string{}
	for _, one := range f.Fields {
		properties[one.Name] = schemaOf(one, defs)
		if !one.Optional {
			required = append(required, one.Name)
		}
	}
	def["properties"], def["required"] = properties, required
}

func orNull(s map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}
}
