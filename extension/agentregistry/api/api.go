// Package api holds the OpenAPI document of the registry's HTTP interface.
package api

import _ "embed"

// Document is the OpenAPI 3.1 document in YAML.
//
//go:embed openapi.yaml
var Document []byte
