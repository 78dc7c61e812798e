{{- define "redpanda.name" -}}{{ printf "%s-redpanda" .Release.Name | trunc 63 | trimSuffix "-" }}{{- end }}

{{- define "redpanda.selector" -}}
app.kubernetes.io/name: redpanda
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "redpanda.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "redpanda.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: avika
{{- end }}
