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
{{- with include "avika.kafka.tls" . }}
  - name: KAFKA_TLS
    value: {{ . | quote }}
{{- end }}
{{- with .Values.redpanda.saslSecret }}
  - name: KAFKA_SASL
    valueFrom:
      secretKeyRef: {name: {{ . }}, key: sasl}
{{- end }}
{{- end }}

{{/* TLS as JSON, or nothing: empty settings are TLS with the system's CAs, or with that of the Secret. */}}
{{- define "avika.kafka.tls" -}}
{{- $r := .Values.redpanda -}}
{{- $ca := dict -}}
{{- if $r.tlsSecret }}{{ $_ := set $ca "ca_file" "/etc/avika/kafka/ca.crt" }}{{ end -}}
{{- if or $r.tlsSecret (kindIs "map" $r.tls) }}{{ mustMergeOverwrite $ca ($r.tls | default dict) | toJson }}{{ end -}}
{{- end }}

{{/* The Secret's volume, and where gateways, writers and the topics job have it. */}}
{{- define "avika.kafka.mounts" -}}
{{- if and .Values.writer.enabled .Values.redpanda.tlsSecret -}}
volumes:
  - name: kafka-tls
    secret: {secretName: {{ .Values.redpanda.tlsSecret }}}
mounts:
  - {name: kafka-tls, mountPath: /etc/avika/kafka, readOnly: true}
{{- else -}}
volumes: []
mounts: []
{{- end -}}
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
