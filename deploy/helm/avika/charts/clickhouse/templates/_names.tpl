{{- define "clickhouse.name" -}}{{ printf "%s-clickhouse" .Release.Name | trunc 63 | trimSuffix "-" }}{{- end }}

{{- define "clickhouse.selector" -}}
app.kubernetes.io/name: clickhouse
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "clickhouse.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "clickhouse.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: avika
{{- end }}
