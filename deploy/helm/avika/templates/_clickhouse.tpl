{{- define "avika.plan.clickhouse" -}}
{{- $v := .root.Values.clickhouse -}}
{{- if $v.enabled -}}
{{- $resources := dict "given" $v.resources "cpu" .cpu "memory" (.plan.clickhouseMemory | default "2Gi") "part" 2 -}}
{{- $_ := set $v "resources" (include "avika.resources" $resources | fromYaml) -}}
{{- if not $v.persistence.size }}{{ $_ := set $v.persistence "size" (.plan.storage | default "50Gi") }}{{ end -}}
{{- /* The guide's 12 GB for a query are 70 % of its 16Gi. */ -}}
{{- $_ := set $v "maxQueryBytes" (int64 (mulf 0.7 (include "avika.bytes" $v.resources.limits.memory | float64))) -}}
{{- end -}}
{{- end }}
