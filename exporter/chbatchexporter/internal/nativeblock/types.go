package nativeblock

import (
	"fmt"
	"strings"
)

type kind int

const (
	kindFixed kind = iota
	kindString
	kindLowCardinality
	kindArray
	kindMap
)

// typ is as much of a ClickHouse type as slicing needs.
type typ struct {
	kind  kind
	width int
	args  []*typ
}

var fixedWidths = map[string]int{
	"UInt8": 1, "Int8": 1, "Bool": 1, "UInt16": 2, "Int16": 2, "UInt32": 4, "Int32": 4, "Float32": 4, "DateTime": 4,
	"UInt64": 8, "Int64": 8, "Float64": 8, "DateTime64": 8,
}

// parseType knows the types that this exporter writes.
func parseType(s string) (*typ, error) {
	name, args, composite := strings.Cut(s, "(")
	if width, ok := fixedWidths[name]; ok {
		return &typ{kind: kindFixed, width: width}, nil
	}
	args = strings.TrimSuffix(args, ")")
	switch {
	case s == "String":
		return &typ{kind: kindString}, nil
	case s == "LowCardinality(String)":
		return &typ{kind: kindLowCardinality}, nil
	case composite && name == "Array":
		value, err := parseType(args)
		return &typ{kind: kindArray, args: []*typ{value}}, err
	case composite && name == "Map":
		return parseMap(args)
	}
	return nil, fmt.Errorf("unknown type %q", s)
}

func parseMap(args string) (*typ, error) {
	k, v, ok := strings.Cut(args, ", ")
	if !ok {
		return nil, fmt.Errorf("unknown type %q", "Map("+args+")")
	}
	key, err := parseType(k)
	if err != nil {
		return nil, err
	}
	value, err := parseType(v)
	return &typ{kind: kindMap, args: []*typ{key, value}}, err
}
