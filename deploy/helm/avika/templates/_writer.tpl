{{- define "avika.plan.writer" -}}
{{- $v := .Values.writer -}}
{{- if $v.enabled -}}
{{- if not $v.replicaCount }}{{ $_ := set $v "replicaCount" 2 }}{{ end -}}
{{- $_ := set $v "resources" (include "avika.resources" (dict "given" $v.resources "cpu" "2" "memory" "2Gi" "part" 4) | fromYaml) -}}
{{- $config := .Files.Get "files/writer.yaml" | fromYaml -}}
{{- include "avika.config.exporter" (dict "root" . "config" $config) -}}
{{- $env := concat (include "avika.env.clickhouse" . | fromYaml).env (include "avika.env.kafka" . | fromYaml).env -}}
{{- $env = append $env (dict "name" "KAFKA_DELETE_READ" "value" (and .Values.redpanda.enabled .Values.redpanda.config.deleteRead | toString)) -}}
{{- $volumes := list (dict "name" "state" "emptyDir" (dict "sizeLimit" .Values.queue.size)) -}}
{{- $mounts := list (dict "name" "state" "mountPath" "/var/lib/otelcol-avika") -}}
{{- if .Values.clickhouse.tls.caSecret -}}
{{- $volumes = append $volumes (dict "name" "clickhouse-ca" "secret" (dict "secretName" .Values.clickhouse.tls.caSecret)) -}}
{{- $mounts = append $mounts (dict "name" "clickhouse-ca" "mountPath" "/etc/avika/clickhouse" "readOnly" true) -}}
{{- end -}}
{{- $kafka := include "avika.kafka.mounts" . | fromYaml -}}
{{- $volumes = concat $volumes $kafka.volumes -}}
{{- $mounts = concat $mounts $kafka.mounts -}}
{{- include "avika.plan.workload" (dict "root" . "values" $v "alias" "writer" "env" $env "volumes" $volumes "mounts" $mounts "config" $config) -}}
{{- end -}}
{{- end }}
