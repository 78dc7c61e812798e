{{/* What cannot work is refused with what to set instead. */}}
{{- define "avika.check" -}}
{{- $v := .Values -}}
{{- /* v1.20.0 is what a Helm built from source assumes without a cluster. */ -}}
{{- $kubernetes := .Capabilities.KubeVersion.Version -}}
{{- if and (semverCompare "<1.30.0-0" $kubernetes) (ne $kubernetes "v1.20.0") -}}
{{- fail (printf "Kubernetes 1.30 or newer is needed, for lifecycle hooks that sleep; this is %s" $kubernetes) -}}
{{- end -}}
{{- if not (has $v.gateway.mode (list "deployment" "statefulset")) -}}
{{- fail (printf "gateway.mode must be deployment or statefulset, is %q" $v.gateway.mode) -}}
{{- end -}}
{{- if and $v.clickhouse.enabled (ne $v.clickhouse.username "avika") -}}
{{- fail (printf "clickhouse.username is for a ClickHouse that is there already; the chart's own knows the user avika, not %q" $v.clickhouse.username) -}}
{{- end -}}
{{- if not $v.clickhouse.enabled -}}
{{- if not $v.clickhouse.endpoints }}{{ fail "clickhouse.enabled is false: give the host:port of your ClickHouse in clickhouse.endpoints" }}{{ end -}}
{{- end -}}
{{- if not $v.postgresql.enabled -}}
{{- if not $v.postgresql.host }}{{ fail "postgresql.enabled is false: give the host of your PostgreSQL in postgresql.host" }}{{ end -}}
{{- if not (or $v.postgresql.auth.existingSecret $v.postgresql.auth.password) }}{{ fail "postgresql.enabled is false: give the Secret with its password in postgresql.auth.existingSecret, or postgresql.auth.password" }}{{ end -}}
{{- end -}}
{{- if and $v.writer.enabled (not $v.redpanda.enabled) (not $v.redpanda.brokers) -}}
{{- fail "writer.enabled needs a Kafka: set redpanda.enabled, or give the host:port of yours in redpanda.brokers" -}}
{{- end -}}
{{- range $key, $file := $v.redpanda.tls | default dict -}}
{{- if and (hasSuffix "_file" $key) (not (and $v.redpanda.tlsSecret (hasPrefix "/etc/avika/kafka/" $file))) -}}
{{- fail (printf "redpanda.tls.%s is %q: no pod has that file; give the Secret that holds it in redpanda.tlsSecret, which is mounted at /etc/avika/kafka" $key $file) -}}
{{- end -}}
{{- end -}}
{{- if and $v.redpanda.enabled (not $v.writer.enabled) -}}
{{- fail "redpanda.enabled without writer.enabled would be a Redpanda that nobody uses; profiles/queued.yaml sets both" -}}
{{- end -}}
{{- if and (or $v.tls.clientCA $v.api.tls) (not $v.tls.existingSecret) -}}
{{- fail "tls.clientCA and api.tls need the certificate in tls.existingSecret" -}}
{{- end -}}
{{- end }}

{{/* Stands in `alternateConfig` until the plan has replaced it. */}}
{{- define "avika.unplanned" -}}
{{- fail "this version of Helm renders templates in an order that the chart does not know; use Helm 3 or 4" -}}
{{- end }}
