{{/*
The formulas of docs/sizing.md. The Go package internal/sizing has the same; tests/helm compares them. "avika.sizing" is the
plan as YAML; what `sizing` does not say is left out of it.
*/}}
{{- define "avika.sizing" -}}
{{- $s := .Values.sizing -}}
{{- $config := .Values.clickhouse.config -}}
{{- $bufferMB := divf (addf (mulf $config.logBufferSize $s.logBytes) (mulf $config.spanBufferSize $s.spanBytes)) 1e6 -}}
profile: {{ include "avika.profile" $s }}
bufferMB: {{ $bufferMB }}
{{- if $s.agents }}
{{- $replicas := add1 (ceil (divf $s.agents 20)) }}
{{- $perReplica := ceil (divf $s.agents $replicas) }}
{{- $memoryMB := addf 256 (mulf $perReplica 2) (mulf $bufferMB 2) }}
gatewayReplicas: {{ $replicas }}
agentsPerReplica: {{ $perReplica }}
gatewayMemoryMB: {{ $memoryMB }}
gatewayMemory: {{ include "avika.mebibytes" $memoryMB }}
{{- end }}
{{- if $s.rps }}
{{- $memoryGB := addf 2 (mulf (divf $s.rps 10000) 0.5) }}
{{- $perDayGB := divf (mulf $s.rps 86400 $s.logBytes $s.compressionRatio) 1e9 }}
{{- $storageGB := mulf $perDayGB $s.retentionDays }}
clickhouseMemoryGB: {{ $memoryGB }}
clickhouseMemory: {{ include "avika.mebibytes" (mulf $memoryGB 1024) }}
storagePerDayGB: {{ $perDayGB }}
storageGB: {{ $storageGB }}
storage: {{ printf "%.0fGi" (maxf 10 (ceil $storageGB)) }}
{{- end }}
{{- end }}

{{/* The smallest profile that suffices. */}}
{{- define "avika.profile" -}}
{{- if and (le (float64 .agents) 10.0) (le (float64 .rps) 1000.0) -}}default
{{- else if and (le (float64 .agents) 50.0) (le (float64 .rps) 10000.0) -}}medium
{{- else if and (le (float64 .agents) 100.0) (le (float64 .rps) 50000.0) -}}large
{{- else -}}enterprise
{{- end -}}
{{- end }}

{{/* Memory rounded up to 64Mi. */}}
{{- define "avika.mebibytes" -}}
{{- $mi := int64 (mulf (ceil (divf . 64)) 64) -}}
{{- if mod $mi 1024 -}}{{ $mi }}Mi{{- else -}}{{ div $mi 1024 }}Gi{{- end -}}
{{- end }}

{{/* Limits of CPU by profile; there is no formula for them. */}}
{{- define "avika.cpu" -}}
default: {gateway: 500m, clickhouse: "1"}
medium: {gateway: "1", clickhouse: "2"}
large: {gateway: "2", clickhouse: "4"}
enterprise: {gateway: "2", clickhouse: "8"}
{{- end }}

{{/* CPUs in thousandths, of the forms 500m, 2, 0.5. */}}
{{- define "avika.millicpus" -}}
{{- $q := toString . -}}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?m?$" $q) }}{{ fail (printf "resources.limits.cpu must be a number of CPUs, such as 2 or 500m, is %q" $q) }}{{ end -}}
{{- hasSuffix "m" $q | ternary (float64 (trimSuffix "m" $q)) (mulf 1000 (float64 $q)) | int64 -}}
{{- end }}

{{/* A memory quantity in bytes, of the forms 512Mi, 2Gi, 2G, 1500000000. */}}
{{- define "avika.bytes" -}}
{{- $q := toString . -}}
{{- $units := dict "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 -}}
{{- $unit := regexFind "[A-Za-z]+$" $q -}}
{{- if and $unit (not (hasKey $units $unit)) -}}{{ fail (printf "%q is no quantity of memory that the chart understands, such as 2Gi" $q) }}{{- end -}}
{{- int64 (mulf (float64 (trimSuffix $unit $q)) (get $units $unit | default 1.0)) -}}
{{- end }}
