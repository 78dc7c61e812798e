package connect

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/kafkaclient"
)

func TestSecurity(t *testing.T) {
	t.Setenv("AVIKA_TEST_PASSWORD", "12345")
	for snippets, options := range map[[2]string]int{
		{"", ""}: 0, {"null", "null"}: 0, {"", "{}"}: 1,
		{`{mechanism: PLAIN, username: u, password: p}`, ""}:                                      1,
		{`{mechanism: SCRAM-SHA-512, username: u, password: "${env:AVIKA_TEST_PASSWORD}"}`, "{}"}: 2,
		{`{mechanism: SCRAM-SHA-256, username: u, password: p}`, "{insecure: true}"}:              1,
		{`{mechanism: SCRAM-SHA-256, username: u, password: p}`, "{insecure_skip_verify: true}"}:  2,
	} {
		opts, err := Security(context.Background(), snippets[0], snippets[1])
		require.NoError(t, err, snippets)
		require.Len(t, opts, options, snippets)
	}
}

func TestVariablesInSnippets(t *testing.T) {
	t.Setenv("AVIKA_TEST_PASSWORD", `a:"b`)
	var s kafkaclient.SASL
	on, err := decode(`{mechanism: PLAIN, username: u, password: "${env:AVIKA_TEST_PASSWORD}"}`, &s)
	require.NoError(t, err)
	require.True(t, on)
	require.Equal(t, `a:"b`, string(s.Password))
}

func TestBadSnippets(t *testing.T) {
	for snippets, want := range map[[2]string]string{
		{"{mechanism: GSSAPI}", ""}: `mechanism must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, is "GSSAPI"`,
		{"secret", ""}:              "KAFKA_SASL: is not of the form {name: value, …}",
		{"{password: secret", ""}:   "KAFKA_SASL: is not of the form {name: value, …}",
		{"{pasword: secret}", ""}:   "KAFKA_SASL: ",
		{"", "{ca_file: /nowhere}"}: "tls: ",
		{"", "yes please"}:          "KAFKA_TLS: is not of the form",
	} {
		_, err := Security(context.Background(), snippets[0], snippets[1])
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}
