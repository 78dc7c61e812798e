{{/*
The alerts of deploy/prometheus for this installation: the names of its services, which are the jobs, and the guide's thresholds (90 % of 100 agents, half
of 100,000 rows a second) for the fleet that sizing speaks of.
*/}}
{{- define "avika.alerts" -}}
{{- $gateways := printf "job=%q" (include "avika.gateway" .) -}}
{{- if .Values.writer.enabled }}{{ $gateways = printf "job=~%q" (printf "%s|%s" (include "avika.gateway" .) (include "avika.writer" .)) }}{{ end -}}
{{- $rules := .Files.Get "files/alerts.yml" | replace "job=\"avika-gateway\"" $gateways | replace "job=\"clickhouse\"" (printf "job=%q" (.Values.clickhouse.enabled | ternary (include "avika.clickhouse" .) "clickhouse")) -}}
{{- with .Values.sizing.agents -}}
{{- $least := max 1 (floor (mulf 0.9 .)) -}}
{{- $rules = $rules | replace "status=\"online\"}) < 90" (printf "status=\"online\"}) < %d" $least) | replace "fewer than 90" (printf "fewer than %d" $least) -}}
{{- end -}}
{{- with .Values.sizing.rps -}}
{{- $least := floor (mulf 0.5 .) | int64 -}}
{{- $rules = $rules | replace "< 50000" (printf "< %d" $least) | replace "> 50000" (printf "> %d" $least) | replace "fewer than 50,000" (printf "fewer than %d" $least) -}}
{{- end -}}
{{- $rules -}}
{{- end }}
