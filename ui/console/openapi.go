package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"hexad/engine"
	"hexad/ui/command"
)

// table is the command table, as far as it can be described.
type table interface {
	Entries() []*command.Entry
}

// openAPI describes the paths, written from the command table.
func (s *Server) openAPI(c echo.Context) error {
	t, ok := s.options.Runner.(table)
	if !ok {
		return engine.Errorf(engine.NotFound, "the commands cannot be described")
	}
	return c.JSON(http.StatusOK, OpenAPI(t.Entries(), s.options.Release))
}

// OpenAPI is the description of the interface for programs, OpenAPI 3.1.
func OpenAPI(entries []*command.Entry, release string) map[string]any {
	byName := map[string]*command.Entry{}
	paths := map[string]any{}
	for _, e := range entries {
		byName[e.Name] = e
		paths[apiPrefix+"/commands/"+e.Name] = map[string]any{"post": operation(e, e.Name, nil, true)}
	}
	for _, a := range aliases {
		e := byName[a.command]
		if e == nil {
			continue
		}
		path, inPath := openPath(a.path)
		at, _ := paths[apiPrefix+path].(map[string]any)
		if at == nil {
			at = map[string]any{}
			paths[apiPrefix+path] = at
		}
		method := strings.ToLower(a.method)
		at[method] = operation(e, method+strings.NewReplacer("/", "_", "{", "", "}", "", "-", "_").Replace(path), inPath, a.method == "POST" || a.method == "PUT")
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "hexad", "version": release},
		"paths":   paths,
		"components": map[string]any{
			"securitySchemes": map[string]any{
				"account": map[string]any{"type": "http", "scheme": "basic"},
				"session": map[string]any{"type": "apiKey", "in": "cookie", "name": sessionCookie},
			},
			"schemas": map[string]any{"Answer": answerSchema, "Failure": failureSchema},
		},
		"security": []any{map[string]any{"account": []string{}}, map[string]any{"session": []string{}}},
	}
}

var answerSchema = map[string]any{"type": "object", "properties": map[string]any{
	"data": map[string]any{}, "lines": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
	"saved": map[string]any{"type": "object"}, "restart": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
	"findings": map[string]any{"type": "array", "items": map[string]any{"type": "object"}}, "differs": map[string]any{"type": "boolean"},
	"backup": map[string]any{"type": "object", "description": "take a backup before this: text, command and path"},
}}

var failureSchema = map[string]any{"type": "object", "properties": map[string]any{"error": map[string]any{"type": "object", "properties": map[string]any{
	"code": map[string]any{"type": "string", "enum": engine.Codes}, "message": map[string]any{"type": "string"}, "remedy": map[string]any{"type": "string"},
	"item": map[string]any{"type": "string"}, "findings": map[string]any{"type": "array", "items": map[string]any{"type": "object"}},
}}}}

// openPath turns :Name into {Name} and returns the names.
func openPath(path string) (string, []string) {
	var names []string
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i], names = "{"+name+"}", append(names, name)
		}
	}
	return strings.Join(parts, "/"), names
}

// operation describes one command at one path.
func operation(e *command.Entry, id string, inPath []string, body bool) map[string]any {
	properties, required, parameters := map[string]any{}, []string{}, []any{}
	for _, a := range e.Args {
		schema := map[string]any{"type": "string", "description": a.Help.EN + " " + a.Space.String()}
		if a.Default != "" {
			schema["default"] = a.Default
		}
		switch {
		case slices.Contains(inPath, a.Name):
			parameters = append(parameters, map[string]any{"name": a.Name, "in": "path", "required": true, "schema": schema})
		case body:
			properties[a.Name] = schema
			if a.Required {
				required = append(required, a.Name)
			}
		default:
			parameters = append(parameters, map[string]any{"name": a.Name, "in": "query", "required": a.Required, "schema": schema})
		}
	}
	out := map[string]any{
		"operationId": id, "summary": e.Help.EN, "x-role": string(e.Role), "x-example": e.Example,
		"responses": map[string]any{
			"200":     response("done", "Answer"),
			"default": response("refused or failed", "Failure"),
		},
	}
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	if body {
		args := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
		if len(required) > 0 {
			args["required"] = required
		}
		request := map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{
			"args": args, "body": map[string]any{"description": "what the command takes beside its arguments: a text, or JSON"},
			"base":    map[string]any{"type": "integer", "description": "revision of the configuration that the change was decided on"},
			"changes": map[string]any{"type": "array", "items": map[string]any{"type": "object"}},
		}}
		out["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": request}}}
	}
	return out
}

func response(description, schema string) map[string]any {
	return map[string]any{"description": description, "content": map[string]any{
		"application/json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/" + schema}},
	}}
}
