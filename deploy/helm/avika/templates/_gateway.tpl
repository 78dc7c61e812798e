{{- define "avika.plan.gateway" -}}
{{- $v := .root.Values.gateway -}}
{{- $values := .root.Values -}}
{{- if not $v.replicaCount }}{{ $_ := set $v "replicaCount" (int (.plan.gatewayReplicas | default 1)) }}{{ end -}}
{{- include "avika.plan.autoscaling" (dict "values" $v) -}}
{{- $resources := dict "given" $v.resources "cpu" .cpu "memory" (.plan.gatewayMemory | default "512Mi") "part" 4 -}}
{{- $_ := set $v "resources" (include "avika.resources" $resources | fromYaml) -}}
{{- $config := include "avika.config.gateway" .root | fromYaml -}}
{{- $mounts := include "avika.mounts" .root | fromYaml -}}
{{- $kafka := include "avika.kafka.mounts" .root | fromYaml -}}
{{- $env := concat (include "avika.env.clickhouse" .root | fromYaml).env (include "avika.env.postgresql" .root | fromYaml).env -}}
{{- if $values.writer.enabled }}{{ $env = concat (include "avika.env.kafka" .root | fromYaml).env (include "avika.env.postgresql" .root | fromYaml).env }}{{ end -}}
{{- if eq $v.mode "statefulset" }}{{ include "avika.plan.disk" .root }}{{ end -}}
{{- if $values.api.tls }}{{ $_ := set $v "readinessProbe" (deepCopy $v.livenessProbe) }}{{ end -}}
{{- include "avika.plan.workload" (dict "root" .root "values" $v "alias" "gateway" "env" $env "volumes" (concat ($mounts.volumes | default list) $kafka.volumes) "mounts" (concat $mounts.mounts $kafka.mounts) "config" $config) -}}
{{- if $values.monitoring.enabled -}}
{{- $rules := dict "enabled" true "extraLabels" $values.monitoring.labels "groups" (include "avika.alerts" .root | fromYaml).groups -}}
{{- $_ := set $v "prometheusRule" (mustMerge ($v.prometheusRule | default dict) $rules) -}}
{{- end -}}
{{- end }}

{{- define "avika.plan.autoscaling" -}}
{{- $a := .values.autoscaling -}}
{{- if not $a.minReplicas }}{{ $_ := set $a "minReplicas" .values.replicaCount }}{{ end -}}
{{- if not $a.maxReplicas }}{{ $_ := set $a "maxReplicas" (max 10 (mul 2 (int $a.minReplicas))) }}{{ end -}}
{{- if gt (int $a.minReplicas) (int $a.maxReplicas) -}}
{{- fail (printf "gateway.autoscaling.maxReplicas must be at least minReplicas (%d), is %d" (int $a.minReplicas) (int $a.maxReplicas)) -}}
{{- end -}}
{{- end }}

{{/* A disk for each replica of a StatefulSet, kept when the gateway goes. */}}
{{- define "avika.plan.disk" -}}
{{- $s := .Values.gateway.statefulset | default dict -}}
{{- if not $s.volumeClaimTemplates -}}
{{- $spec := dict "accessModes" (list "ReadWriteOnce") "resources" (dict "requests" (dict "storage" .Values.queue.size)) -}}
{{- with .Values.queue.storageClass }}{{ $_ := set $spec "storageClassName" . }}{{ end -}}
{{- $claim := dict "apiVersion" "v1" "kind" "PersistentVolumeClaim" "metadata" (dict "name" "state") "spec" $spec -}}
{{- $_ := set $s "volumeClaimTemplates" (list $claim) -}}
{{- end -}}
{{- $_ := set .Values.gateway "statefulset" $s -}}
{{- end }}

{{/* Volumes of the gateway, and where they are mounted. */}}
{{- define "avika.mounts" -}}
volumes:
  {{- if eq .Values.gateway.mode "deployment" }}
  - name: state
    emptyDir: {sizeLimit: {{ .Values.queue.size }}}
  {{- end }}
  {{- with .Values.psk.existingSecret }}
  - name: psk
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- with .Values.tls.existingSecret }}
  - name: tls
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- with .Values.api.tokenSecret }}
  - name: api
    secret: {secretName: {{ . }}}
  {{- end }}
  {{- if .Values.clickhouse.tls.caSecret }}
  - name: clickhouse-ca
    secret: {secretName: {{ .Values.clickhouse.tls.caSecret }}}
  {{- end }}
mounts:
  - {name: state, mountPath: /var/lib/otelcol-avika}
  {{- if .Values.psk.existingSecret }}
  - {name: psk, mountPath: /etc/avika/psk, readOnly: true}
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  - {name: tls, mountPath: /etc/avika/tls, readOnly: true}
  {{- end }}
  {{- if .Values.api.tokenSecret }}
  - {name: api, mountPath: /etc/avika/api, readOnly: true}
  {{- end }}
  {{- if .Values.clickhouse.tls.caSecret }}
  - {name: clickhouse-ca, mountPath: /etc/avika/clickhouse, readOnly: true}
  {{- end }}
{{- end }}
