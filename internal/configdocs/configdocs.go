// Package configdocs finds configuration keys that a component's README does not name: a key that nobody can read of does not exist.
package configdocs

import (
	"os"
	"reflect"
	"strings"
)

// Unnamed returns the keys of a configuration, such as limits.streams, that the file does not name in backquotes. Blocks of the
// collector's own (confighttp, configtls, …) are one key each.
func Unnamed(file string, config any) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var unnamed []string
	t := reflect.Indirect(reflect.ValueOf(config)).Type()
	for _, key := range keys(t, t.PkgPath(), "") {
		if !strings.Contains(string(text), "`"+key+"`") {
			unnamed = append(unnamed, key)
		}
	}
	return unnamed, nil
}

func keys(config reflect.Type, pkg, prefix string) (found []string) {
	for i := range config.NumField() {
		field := config.Field(i)
		name, squash, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported() || name == "" && squash == "":
		case squash == "squash":
			found = append(found, keys(field.Type, pkg, prefix)...)
		case field.Type.PkgPath() == pkg && field.Type.Kind() == reflect.Struct:
			found = append(found, keys(field.Type, pkg, prefix+name+".")...)
		default:
			found = append(found, prefix+name)
		}
	}
	return found
}
