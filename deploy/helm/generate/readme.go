package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// section is the place of the tables in the README's text.
const section = "<!-- values -->\n"

// readme is the text with a table for each top-level key of the chart's values, subcharts' own values included.
func readme(text, chart string) ([]byte, error) {
	prose, err := os.ReadFile(text)
	if err != nil {
		return nil, err
	}
	values, err := load(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return nil, err
	}
	var tables bytes.Buffer
	for i := 0; i < len(values.Content); i += 2 {
		name := values.Content[i].Value
		rows := rowsOf(name, values.Content[i], values.Content[i+1])
		own, err := load(filepath.Join(chart, "charts", name, "values.yaml"))
		if err == nil {
			rows = append(rows, children(name, own)...)
		} else if !os.IsNotExist(err) {
			return nil, err
		}
		fmt.Fprintf(&tables, "### %s\n\n| key | default | meaning |\n|---|---|---|\n", name)
		for _, r := range rows {
			fmt.Fprintf(&tables, "| `%s` | %s | %s |\n", r.key, r.value, r.meaning)
		}
		tables.WriteByte('\n')
	}
	before, after, found := strings.Cut(string(prose), section)
	if !found {
		return nil, fmt.Errorf("%s has no line %q", text, section)
	}
	return []byte(before + tables.String() + after), nil
}

func load(file string) (*yaml.Node, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s has no values", file)
	}
	return doc.Content[0], nil
}

type row struct{ key, value, meaning string }

// rowsOf is a row for a value, or those of its parts when it is a block of several.
func rowsOf(path string, key, value *yaml.Node) []row {
	block := value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0
	meaning := comment(key)
	if block && meaning == "" {
		return children(path, value)
	}
	rows := []row{{path, shown(value, block), meaning}}
	if block {
		rows = append(rows, children(path, value)...)
	}
	return rows
}

func children(path string, mapping *yaml.Node) []row {
	var rows []row
	for i := 0; i < len(mapping.Content); i += 2 {
		key := mapping.Content[i]
		rows = append(rows, rowsOf(path+"."+key.Value, key, mapping.Content[i+1])...)
	}
	return rows
}

// comment is what stands above a key, and behind it, in one line.
func comment(key *yaml.Node) string {
	var words []string
	for line := range strings.Lines(key.HeadComment) {
		words = append(words, strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "#"))...)
	}
	return strings.ReplaceAll(strings.Join(words, " "), "|", `\|`)
}

// shown is a default in one line.
func shown(value *yaml.Node, block bool) string {
	switch {
	case block:
		return "see below"
	case value.Kind == yaml.AliasNode:
		return "as `gateway`'s"
	case value.Kind == yaml.ScalarNode && value.Value == "":
		return "empty"
	case value.Kind == yaml.ScalarNode:
		return "`" + value.Value + "`"
	}
	flow := *value
	flow.Style, flow.Anchor = yaml.FlowStyle, ""
	text, err := yaml.Marshal(&flow)
	if err != nil {
		return "?"
	}
	return "`" + strings.Join(strings.Fields(string(text)), " ") + "`"
}
