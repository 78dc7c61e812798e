{{/* What gateway and writer have in common. */}}

{{/*
Resources with what is missing: limits as planned, requests a `part` of the limits, which is a fourth for gateways (in the guide, 512Mi
of 2Gi and 500m of 2 CPUs) and half for ClickHouse.
*/}}
{{- define "avika.resources" -}}
{{- $r := mustMerge (deepCopy (.given | default dict)) (dict "limits" (dict "cpu" .cpu "memory" .memory)) -}}
{{- if not $r.requests }}{{ $_ := set $r "requests" dict }}{{ end -}}
{{- if not $r.requests.cpu -}}
{{- $_ := set $r.requests "cpu" (printf "%dm" (div (int64 (include "avika.millicpus" $r.limits.cpu)) .part)) -}}
{{- end -}}
{{- if not $r.requests.memory -}}
{{- $_ := set $r.requests "memory" (printf "%dMi" (div (int64 (include "avika.bytes" $r.limits.memory)) (mul 1048576 .part))) -}}
{{- end -}}
{{- toYaml $r -}}
{{- end }}

{{/* Sets the values of `.values` that depend on the release: names, environment, volumes, spread. */}}
{{- define "avika.plan.workload" -}}
{{- $v := .values -}}
{{- $env := list -}}
{{- $given := dict -}}
{{- range $v.extraEnvs }}{{ $_ := set $given .name true }}{{ end -}}
{{- range .env }}{{ if not (hasKey $given .name) }}{{ $env = append $env . }}{{ end }}{{ end -}}
{{- $_ := set $v "extraEnvs" (concat $env $v.extraEnvs) -}}
{{- if hasKey $given "GOMEMLIMIT" }}{{ $_ := set $v "useGOMEMLIMIT" false }}{{ end -}}
{{- $_ := set $v "extraVolumes" (concat (.volumes | default list) ($v.extraVolumes | default list)) -}}
{{- $_ := set $v "extraVolumeMounts" (concat (.mounts | default list) ($v.extraVolumeMounts | default list)) -}}
{{- $_ := set $v "alternateConfig" (mustMergeOverwrite .config (omit ($v.alternateConfig | default dict) "planned")) -}}
{{- $_ := set $v "podLabels" (mustMerge (deepCopy ($v.podLabels | default dict)) (include "avika.client.labels" .root | fromYaml)) -}}
{{- $_ := set $v "podAnnotations" (mustMerge (deepCopy ($v.podAnnotations | default dict)) (include "avika.checksums" .root | fromYaml)) -}}
{{- $selector := dict "matchLabels" (dict "app.kubernetes.io/name" .alias "app.kubernetes.io/instance" .root.Release.Name) -}}
{{- if not $v.topologySpreadConstraints -}}
{{- $spread := list -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $spread = append $spread (dict "maxSkew" 1 "topologyKey" . "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" $selector) -}}
{{- end -}}
{{- $_ := set $v "topologySpreadConstraints" $spread -}}
{{- end -}}
{{- if and (eq $v.mode "deployment") (not ($v.rollout).rollingUpdate) -}}
{{- $_ := set $v "rollout" (mustMergeOverwrite ($v.rollout | default dict) (dict "rollingUpdate" (dict "maxSurge" 1 "maxUnavailable" 0))) -}}
{{- end -}}
{{- if .root.Values.monitoring.enabled -}}
{{- $_ := set $v "serviceMonitor" (mustMergeOverwrite ($v.serviceMonitor | default dict) (dict "enabled" true "extraLabels" .root.Values.monitoring.labels)) -}}
{{- end -}}
{{- end }}

{{/* Labels that the servers' network policies let in. */}}
{{- define "avika.client.labels" -}}
{{ .Release.Name }}-clickhouse-client: "true"
{{ .Release.Name }}-postgresql-client: "true"
{{ .Release.Name }}-redpanda-client: "true"
{{- end }}

{{/* Given passwords reach a process when it starts, so a new one makes new pods. */}}
{{- define "avika.checksums" -}}
checksum/passwords: {{ list .Values.clickhouse.password .Values.postgresql.auth.password | toJson | sha256sum }}
{{- end }}
