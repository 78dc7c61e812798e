{{/* Environment of the gateway's configurations, docs/configuration.md, as a list under `env`. */}}

{{- define "avika.env.clickhouse" -}}
{{- $c := .Values.clickhouse -}}
env:
  - name: CLICKHOUSE_ENDPOINT
    value: {{ $c.enabled | ternary (printf "%s:9000" (include "avika.clickhouse" .)) (join "," $c.endpoints) | quote }}
  - name: CLICKHOUSE_DATABASE
    value: {{ $c.database | quote }}
  - name: CLICKHOUSE_USERNAME
    value: {{ $c.username | quote }}
  {{- if or $c.enabled $c.existingSecret $c.password }}
  - name: CLICKHOUSE_PASSWORD
    valueFrom:
      secretKeyRef: {name: {{ $c.existingSecret | default (include "avika.clickhouse" .) }}, key: password}
  {{- end }}
  - name: CH_LOG_BUFFER_SIZE
    value: {{ $c.config.logBufferSize | int64 | quote }}
  - name: CH_SPAN_BUFFER_SIZE
    value: {{ $c.config.spanBufferSize | int64 | quote }}
  - name: CH_LOG_BATCH_SIZE
    value: {{ $c.config.logBatchSize | int64 | quote }}
  - name: CH_SPAN_BATCH_SIZE
    value: {{ $c.config.spanBatchSize | int64 | quote }}
  - name: CH_FLUSH_INTERVAL_MS
    value: {{ $c.config.flushIntervalMs | int64 | quote }}
  - name: CH_MAX_OPEN_CONNS
    value: {{ $c.config.maxOpenConns | int64 | quote }}
{{- end }}

{{/* The password is in libpq's own variable, so that it may hold any character. */}}
{{- define "avika.env.postgresql" -}}
{{- $p := .Values.postgresql -}}
{{- $host := $p.enabled | ternary (include "avika.postgresql" .) $p.host -}}
env:
  - name: POSTGRES_DSN
    value: {{ printf "postgres://%s@%s:%d/%s?sslmode=%s" (urlquery $p.auth.username) $host (int $p.port) (urlquery $p.auth.database) $p.sslmode | quote }}
  - name: PGPASSWORD
    valueFrom:
      secretKeyRef: {name: {{ $p.auth.existingSecret | default (include "avika.postgresql" .) }}, key: password}
{{- end }}
