{{/* The shipped configurations (files/) with what the values say. */}}

{{- define "avika.config.gateway" -}}
{{- $config := .Files.Get (.Values.writer.enabled | ternary "files/ingest.yaml" "files/gateway.yaml") | fromYaml -}}
{{- if not .Values.writer.enabled -}}
{{- include "avika.config.exporter" (dict "root" . "config" $config) -}}
{{- if eq .Values.gateway.mode "deployment" }}{{ include "avika.config.inmemory" $config }}{{ end -}}
{{- end -}}
{{- if .Values.psk.existingSecret -}}
{{- $_ := set $config.receivers.avika "psk" (dict "key_file" (printf "/etc/avika/psk/%s" .Values.psk.key)) -}}
{{- end -}}
{{- if .Values.tls.existingSecret }}{{ include "avika.config.tls" (dict "root" . "config" $config) }}{{ end -}}
{{- if .Values.api.tokenSecret -}}
{{- $_ := set $config.extensions "bearertokenauth" (dict "filename" "/etc/avika/api/token") -}}
{{- $_ := set $config.extensions.agent_registry.http "auth" (dict "authenticator" "bearertokenauth") -}}
{{- $_ := set $config.service "extensions" (prepend $config.service.extensions "bearertokenauth") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* How long a stop may take, of which terminationGracePeriodSeconds is the sum; TTLs; TLS to ClickHouse. */}}
{{- define "avika.config.exporter" -}}
{{- $values := .root.Values -}}
{{- $exporter := .config.exporters.ch_batch -}}
{{- $_ := set $exporter "drain_timeout" "30s" -}}
{{- $ttl := printf "%dh" (mul 24 (int $values.sizing.retentionDays)) -}}
{{- $kept := dict "access_logs" $ttl "error_logs" $ttl -}}
{{- if $values.clickhouse.enabled }}{{ $kept = merge $kept (dict "otel_traces" $ttl "otel_traces_trace_id_ts" $ttl) }}{{ end -}}
{{- $_ := set $exporter "ttl" $kept -}}
{{- if $values.clickhouse.tls.enabled -}}
{{- $_ := set $exporter "tls" ($values.clickhouse.tls.caSecret | empty | ternary (dict "insecure" false) (dict "ca_file" "/etc/avika/clickhouse/ca.crt")) -}}
{{- end -}}
{{- end }}

{{/* Without a disk that outlives the pod, a stop inserts what waits in memory instead of leaving it in the pod. */}}
{{- define "avika.config.inmemory" -}}
{{- $_ := unset .exporters.ch_batch.sending_queue "storage" -}}
{{- $_ := unset .extensions "file_storage" -}}
{{- $_ := set .service "extensions" (without .service.extensions "file_storage") -}}
{{- end }}

{{- define "avika.config.tls" -}}
{{- $tls := dict "cert_file" "/etc/avika/tls/tls.crt" "key_file" "/etc/avika/tls/tls.key" "reload_interval" "1h" -}}
{{- $http := deepCopy $tls -}}
{{- if .root.Values.tls.clientCA }}{{ $_ := set $tls "client_ca_file" "/etc/avika/tls/ca.crt" }}{{ end -}}
{{- $_ := set .config.receivers.avika "tls" $tls -}}
{{- $_ := set .config.receivers.otlp.protocols.grpc "tls" $tls -}}
{{- $_ := set .config.receivers.otlp.protocols.http "tls" $tls -}}
{{- if .root.Values.api.tls }}{{ $_ := set .config.extensions.agent_registry.http "tls" $http }}{{ end -}}
{{- end }}
