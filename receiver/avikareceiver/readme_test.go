package avikareceiver

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMENamesEveryKey: a key that nobody can read of does not exist.
func TestREADMENamesEveryKey(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	keys := keysOf(reflect.TypeFor[Config](), "")
	require.Contains(t, keys, "limits.idle_timeout")
	require.Contains(t, keys, "max_recv_msg_size_mib")
	for _, key := range keys {
		if key != "dialer" { // of confignet, for clients
			require.True(t, strings.Contains(string(readme), "`"+key+"`"), "README.md does not name %s", key)
		}
	}
}

// keysOf lists the keys of a configuration. Blocks of the collector's own are one key each.
func keysOf(config reflect.Type, prefix string) (keys []string) {
	for i := range config.NumField() {
		field := config.Field(i)
		name, squash, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported() || name == "" && squash == "":
		case squash == "squash":
			keys = append(keys, keysOf(field.Type, prefix)...)
		case field.Type.PkgPath() == reflect.TypeFor[Config]().PkgPath() && field.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(field.Type, prefix+name+".")...)
		default:
			keys = append(keys, prefix+name)
		}
	}
	return keys
}
