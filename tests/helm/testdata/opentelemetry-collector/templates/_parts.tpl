{{- define "opentelemetry-collector.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) | trunc 63 -}}
{{- end }}

{{- define "standin.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "standin.meta" -}}
metadata:
  name: {{ include "opentelemetry-collector.fullname" . }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "standin.selector" . | nindent 4 }}
{{- end }}

{{/* 80 % of the memory limit, which is given in Mi or Gi. */}}
{{- define "standin.gomemlimit" -}}
{{- $mi := hasSuffix "Gi" . | ternary (mul 1024 (trimSuffix "Gi" . | int64)) (trimSuffix "Mi" . | int64) -}}
{{- printf "%dMiB" (div (mul $mi 8) 10) -}}
{{- end }}

{{- define "standin.probe" -}}
{{- with . }}{{ toYaml (omit . "httpGet") }}
httpGet: {path: {{ .httpGet.path }}, port: {{ .httpGet.port }}}
{{- end }}
{{- end }}
