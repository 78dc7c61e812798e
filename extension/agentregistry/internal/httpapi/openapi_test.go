package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/api"
)

// spec is the OpenAPI document, and remembers which operations were seen.
type spec struct {
	root map[string]any
	mu   sync.Mutex
	seen map[string]bool
}

func loadSpec(t *testing.T) *spec {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML(api.Document)
	require.NoError(t, err)
	raw, err := retrieved.AsRaw()
	require.NoError(t, err)
	return &spec{root: raw.(map[string]any), seen: map[string]bool{}}
}

var methods = []string{"get", "put", "post", "delete"}

// operations lists "get /path" of the document.
func (s *spec) operations() []string {
	var all []string
	for path, item := range s.root["paths"].(map[string]any) {
		for _, method := range methods {
			if _, ok := item.(map[string]any)[method]; ok {
				all = append(all, method+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}

// operation finds what answers a request.
func (s *spec) operation(method, path string) (string, map[string]any) {
	for template, item := range s.root["paths"].(map[string]any) {
		if operation, ok := item.(map[string]any)[strings.ToLower(method)]; ok && matches(template, path) {
			return strings.ToLower(method) + " " + template, operation.(map[string]any)
		}
	}
	return "", nil
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(a, b string) bool { return a == b || strings.HasPrefix(a, "{") })
}

// check compares an answer with the document.
func (s *spec) check(method, path string, answer *http.Response, body any) error {
	name, operation := s.operation(method, path)
	if operation == nil {
		return fmt.Errorf("%s %s is not in the document", method, path)
	}
	s.mu.Lock()
	s.seen[name] = true
	s.mu.Unlock()
	responses := operation["responses"].(map[string]any)
	response, ok := responses[strconv.Itoa(answer.StatusCode)]
	if !ok {
		if response, ok = responses["default"]; !ok || answer.StatusCode < 400 {
			return fmt.Errorf("%s answers %d, which is not in the document", name, answer.StatusCode)
		}
	}
	content, _ := s.resolve(response)["content"].(map[string]any)
	media, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if len(content) == 0 {
		return nil
	}
	described, ok := content[media].(map[string]any)
	if !ok {
		return fmt.Errorf("%s answers %d as %q, the document has %v", name, answer.StatusCode, media, slices.Collect(maps.Keys(content)))
	}
	if schema, ok := described["schema"]; ok {
		return s.validate(name, schema, body)
	}
	return nil
}

func (s *spec) resolve(node any) map[string]any {
	object := node.(map[string]any)
	ref, ok := object["$ref"].(string)
	if !ok {
		return object
	}
	at := any(s.root)
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[step]
	}
	return at.(map[string]any)
}

// validate checks a value against a schema, strictly: objects hold nothing that the schema does not name.
func (s *spec) validate(at string, node, value any) error {
	schema := s.resolve(node)
	if options, ok := schema["oneOf"].([]any); ok {
		return s.validateOneOf(at, options, value)
	}
	if err := checkType(at, schema["type"], value); err != nil || value == nil {
		return err
	}
	if allowed, ok := schema["enum"].([]any); ok && !slices.Contains(allowed, value) {
		return fmt.Errorf("%s: %v is not one of %v", at, value, allowed)
	}
	switch value := value.(type) {
	case map[string]any:
		return s.validateObject(at, schema, value)
	case []any:
		items, ok := schema["items"]
		for i := 0; ok && i < len(value); i++ {
			if err := s.validate(fmt.Sprintf("%s[%d]", at, i), items, value[i]); err != nil {
				return err
			}
		}
	case string:
		if schema["format"] == "date-time" {
			if moment, err := time.Parse(time.RFC3339Nano, value); err != nil || !strings.HasSuffix(value, "Z") || moment.Year() < 2000 {
				return fmt.Errorf("%s: %q is not a time in UTC", at, value)
			}
		}
	}
	return nil
}

func (s *spec) validateOneOf(at string, options []any, value any) error {
	var errs []string
	for _, option := range options {
		err := s.validate(at, option, value)
		if err == nil {
			return nil
		}
		errs = append(errs, err.Error())
	}
	return fmt.Errorf("%s fits none: %s", at, strings.Join(errs, "; "))
}

func (s *spec) validateObject(at string, schema, value map[string]any) error {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			return fmt.Errorf("%s lacks %s", at, name)
		}
	}
	for name, member := range value {
		described, ok := properties[name]
		if !ok {
			if described, ok = schema["additionalProperties"]; !ok {
				return fmt.Errorf("%s has %s, which is not in the document", at, name)
			}
		}
		if err := s.validate(at+"."+name, described, member); err != nil {
			return err
		}
	}
	return nil
}

func checkType(at string, types, value any) error {
	var allowed []any
	switch types := types.(type) {
	case nil:
		return nil
	case string:
		allowed = []any{types}
	case []any:
		allowed = types
	}
	for _, name := range allowed {
		if isType(name.(string), value) {
			return nil
		}
	}
	return fmt.Errorf("%s: %v is not of type %v", at, value, allowed)
}

func isType(name string, value any) bool {
	switch name {
	case "null":
		return value == nil
	case "integer":
		n, ok := value.(float64)
		return ok && n == float64(int64(n))
	case "number":
		_, ok := value.(float64)
		return ok
	case "string":
		_, ok := value.(string)
		return ok
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "array":
		_, ok := value.([]any)
		return ok
	case "object":
		_, ok := value.(map[string]any)
		return ok
	}
	return false
}
