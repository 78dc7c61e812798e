{{- define "avika.env.kafka" -}}
env:
  - name: KAFKA_BROKERS
    value: {{ include "avika.brokers" . | quote }}
  - name: KAFKA_PARTITIONS
    value: {{ .Values.redpanda.config.numPartitions | int64 | quote }}
  - name: KAFKA_MAX_MESSAGE_BYTES
    value: {{ .Values.redpanda.config.producerBatchSize | int64 | quote }}
  # A batch is one record; as much smaller than the largest message as by default.
  - name: KAFKA_RECORD_BYTES
    value: {{ div (mul .Values.redpanda.config.producerBatchSize 1000000) 1048576 | quote }}
{{- if kindIs "map" .Values.redpanda.tls }}{{/* an empty one is TLS with the system's CAs */}}
  - name: KAFKA_TLS
    value: {{ toJson .Values.redpanda.tls | quote }}
{{- end }}
{{- with .Values.redpanda.saslSecret }}
  - name: KAFKA_SASL
    valueFrom:
      secretKeyRef: {name: {{ . }}, key: sasl}
{{- end }}
{{- end }}

{{- define "avika.brokers" -}}
{{- if .Values.redpanda.enabled -}}
{{- $name := include "avika.redpanda" . -}}
{{- $brokers := list -}}
{{- range until (int .Values.redpanda.replicaCount) -}}
{{- $brokers = append $brokers (printf "%s-%d.%s-nodes:9092" $name . $name) -}}
{{- end -}}
{{- join "," $brokers -}}
{{- else -}}
{{- join "," .Values.redpanda.brokers -}}
{{- end -}}
{{- end }}

{{/* Redpanda refuses even numbers of copies, and more than it has brokers. */}}
{{- define "avika.replicationFactor" -}}
{{- $wanted := int .Values.redpanda.config.replicationFactor -}}
{{- if .Values.redpanda.enabled -}}
{{- $brokers := int .Values.redpanda.replicaCount -}}
{{- $most := sub $brokers (sub 1 (mod $brokers 2)) -}}
{{- min (add $wanted (sub 1 (mod $wanted 2))) (max 1 $most) -}}
{{- else -}}
{{- $wanted -}}
{{- end -}}
{{- end }}
