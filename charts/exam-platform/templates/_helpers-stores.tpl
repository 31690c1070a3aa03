{{/* The certificates of the authorities of external stores, as files STORE.crt. */}}
{{- define "exam.storeVolumes" -}}
{{- $sources := list }}
{{- range $store := list "postgres" "redis" "broker" "cassandra" }}
{{- with (get $.Values $store).tls.caSecret }}
{{- $sources = append $sources (dict "secret" (dict "name" . "items" (list (dict "key" "ca.crt" "path" (printf "%s.crt" $store))))) }}
{{- end }}
{{- end }}
{{- with $sources }}
- name: store-ca
  projected: {defaultMode: 0444, sources: {{ toJson . }}}
{{- end }}
{{- end }}

{{- define "exam.storeMounts" -}}
{{- if include "exam.storeVolumes" . }}
- {name: store-ca, mountPath: /etc/exam-stores, readOnly: true}
{{- end }}
{{- end }}

{{/* Values that contradict each other: what is wrong, one line each. */}}
{{- define "exam.storeFaults" -}}
{{- range $store := list "postgres" "redis" "broker" "cassandra" }}
{{- $values := get $.Values $store }}
{{- if and (not $values.existingSecret) (or $values.tls.caSecret $values.tls.mode) }}
{{ $store }}.tls is set without {{ $store }}.existingSecret: the chart's own store has no TLS. Set existingSecret, or leave tls empty.
{{- end }}
{{- end }}
{{- range $store := list "postgres" "cassandra" }}
{{- $tls := (get $.Values $store).tls }}
{{- if and $tls.caSecret (not $tls.mode) }}
{{ $store }}.tls.caSecret is set without {{ $store }}.tls.mode, so that no connection would use it. Set mode to verify-full or verify-ca.
{{- else if and (eq $tls.mode "verify-ca") (not $tls.caSecret) }}
{{ $store }}.tls.mode is verify-ca without {{ $store }}.tls.caSecret: any public certificate would do. Set caSecret, or mode to verify-full.
{{- end }}
{{- end }}
{{- if and (not .Values.cassandra.existingSecret) .Values.cassandra.componentRoles }}
cassandra.componentRoles is set without cassandra.existingSecret: the chart's own Cassandra always has a role for each component.
{{- end }}
{{- if and (not .Values.cassandra.existingSecret) (ne (int .Values.cassandra.port) 9042) }}
cassandra.port is set without cassandra.existingSecret: the chart's own Cassandra listens on 9042.
{{- end }}
{{- end }}

{{/* The keys of the platform's Secret with a password for a store, which comes first in its name. */}}
{{- define "exam.passwords" -}}
postgres-password postgres-owner-password postgres-web-password postgres-solver-password postgres-grader-password redis-web-password redis-solver-password redis-grader-password redis-probe-password cassandra-password cassandra-web-password cassandra-solver-password cassandra-grader-password
{{- end }}

{{/* The keys with the passwords of exporters, if they are enabled. Without its own, Redis would not start. */}}
{{- define "exam.monitoringPasswords" -}}
{{- range include "exam.exporters" . | replace "broker" "redis" | fromJsonArray | uniq }}{{ . }}-monitoring-password {{ end }}
{{- end }}

{{/* The keys that pods read and secrets.existingSecret lacks, if the cluster can be read. */}}
{{- define "exam.missingKeys" -}}
{{- with .Values.secrets.existingSecret }}
{{- with $found := lookup "v1" "Secret" $.Release.Namespace . }}
{{- range concat (list "secret-key" "web-keys.pem" "statement-keys.pem" "solver-keys.pem" "operator-service-keys.pem" "solver-service-keys.pem") (include "exam.passwords" $ | splitList " ") (include "exam.monitoringPasswords" $ | splitList " " | compact) }}
{{- $store := get $.Values (splitList "-" . | first) | default dict }}
{{- $external := and $store.existingSecret (or (not (hasPrefix "redis-" .)) $.Values.broker.existingSecret) }}
{{- if and (not $external) (not (hasKey $found.data .)) }}{{ . }} {{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
