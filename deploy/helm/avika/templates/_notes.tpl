{{- define "avika.notes.replicas" -}}
{{- $a := .Values.gateway.autoscaling -}}
{{- if $a.enabled }}{{ int $a.minReplicas }} to {{ int $a.maxReplicas }}{{ else }}{{ .Values.gateway.replicaCount }}{{ end -}}
{{- end }}

{{/* What is given, but is less than the formulas say; and what is better known before than after. */}}
{{- define "avika.notes.warnings" -}}
{{- $v := .Values -}}
{{- $plan := $v.plan -}}
{{- $replicas := int ($v.gateway.autoscaling.enabled | ternary $v.gateway.autoscaling.maxReplicas $v.gateway.replicaCount) -}}
{{- if lt $replicas (int ($plan.gatewayReplicas | default 0)) }}
WARNING: {{ $replicas }} gateways are less than the plan's {{ $plan.gatewayReplicas }}: raise gateway.{{ $v.gateway.autoscaling.enabled | ternary "autoscaling.maxReplicas" "replicaCount" }}.
{{- end }}
{{- if and $v.clickhouse.enabled $plan.clickhouseMemory }}
{{- if lt (int64 (include "avika.bytes" $v.clickhouse.resources.limits.memory)) (int64 (include "avika.bytes" $plan.clickhouseMemory)) }}
WARNING: clickhouse.resources.limits.memory {{ $v.clickhouse.resources.limits.memory }} is less than the plan's {{ $plan.clickhouseMemory }}.
{{- end }}
{{- if lt (int64 (include "avika.bytes" $v.clickhouse.persistence.size)) (int64 (mulf $plan.storageGB 1e9)) }}
WARNING: clickhouse.persistence.size {{ $v.clickhouse.persistence.size }} holds {{ printf "%.1f" (divf (include "avika.bytes" $v.clickhouse.persistence.size | float64) (mulf $plan.storagePerDayGB 1e9) | mulf 24) }} hours at {{ int64 $v.sizing.rps }} requests per second; {{ $v.sizing.retentionDays }} days need {{ $plan.storage }}.
{{- end }}
{{- end }}
{{- if not $v.psk.existingSecret }}
WARNING: agents are not authenticated: anybody who reaches port 5020 can send as any agent. Set psk.existingSecret.
{{- end }}
{{- if and $v.monitoring.enabled (not $v.sizing.agents) }}
NOTE: the alert AgentConnectionDrop fires below 90 agents, as in the scaling guide's fleet of 100. Set sizing.agents to yours.
{{- end }}
{{- if and (eq $v.gateway.mode "deployment") (not $v.writer.enabled) }}
NOTE: gateways hold their queue in memory: a stop inserts it, a crash loses it. --set gateway.mode=statefulset keeps it on disk.
{{- end }}
{{- end }}
