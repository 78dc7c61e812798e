{{/* Names of what the chart makes. Those of gateway and writer are the official chart's own. */}}

{{- define "avika.workload" -}}
{{- $name := .values.nameOverride | default .alias -}}
{{- if .values.fullnameOverride -}}
{{- .values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .root.Release.Name -}}
{{- .root.Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .root.Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "avika.gateway" -}}
{{- include "avika.workload" (dict "root" . "values" .Values.gateway "alias" "gateway") -}}
{{- end }}

{{- define "avika.writer" -}}
{{- include "avika.workload" (dict "root" . "values" .Values.writer "alias" "writer") -}}
{{- end }}

{{- define "avika.server" -}}
{{- printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "avika.clickhouse" -}}{{ include "avika.server" (dict "root" . "name" "clickhouse") }}{{- end }}
{{- define "avika.postgresql" -}}{{ include "avika.server" (dict "root" . "name" "postgresql") }}{{- end }}
{{- define "avika.redpanda" -}}{{ include "avika.server" (dict "root" . "name" "redpanda") }}{{- end }}

{{- define "avika.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: avika
{{- end }}
