{{/*
A NetworkPolicy of a component: (list . "web"). Every policy comes from one table of permitted connections, $edges
(from, to, port); a connection that is not in the table is denied at both ends. A component that runs outside the release
(existingSecret) has no policy here, and its clients may connect to any address and port.
*/}}
{{- define "exam.networkPolicy" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- $values := $root.Values -}}
{{- $external := dict "postgres" $values.postgres.existingSecret "redis" $values.redis.existingSecret "broker" $values.broker.existingSecret "cassandra" $values.cassandra.existingSecret -}}
{{- if and $values.networkPolicies.enabled (not (get $external $component)) -}}
{{- $stores := list }}
{{- range $from := list "web" "solver" "grader" "beat" "grading" "migrations" }}
{{- $stores = concat $stores (list (list $from "postgres" 5432) (list $from "cassandra" 9042)) }}
{{- end }}
{{- range $from := list "web" "solver" }}{{ $stores = append $stores (list $from "redis" 6379) }}{{ end }}
{{- range $from := list "web" "grader" "beat" "grading" }}{{ $stores = append $stores (list $from "broker" 6379) }}{{ end }}
{{- $edges := concat $stores (list
  (list "gateway" "web" 8000) (list "gateway" "solver" 8000) (list "solver" "web" 8000)
  (list "solver" "web" 8001) (list "operator" "web" 8001)
  (list "cassandra" "cassandra" 7000) (list "cassandra" "cassandra" 9042)
  (list "test" "gateway" 8080) (list "test" "web" 8000) (list "test" "solver" 8000)) }}
{{- if include "exam.formerCallersUntil" $root }}{{ $edges = append $edges (list "operator" "web" 8000) }}{{ end }}
{{- $metricsPorts := dict "web" 8000 "solver" 8000 "grader" 9100 "beat" 9100 "operator" 8080 }}
{{- range $store := include "exam.exporters" $root | fromJsonArray }}
{{- $exporter := printf "%s-exporter" $store }}
{{- $edges = append $edges (list $exporter $store (get (dict "postgres" 5432 "redis" 6379 "broker" 6379 "cassandra" 9042) $store)) }}
{{- $_ := set $metricsPorts $exporter (include "exam.exporterPort" $store | int) }}
{{- if has $store (list "cassandra" "postgres") }}{{ $edges = append $edges (list "monitoring-roles" $store (get (dict "postgres" 5432 "cassandra" 9042) $store)) }}{{ end }}
{{- end }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "exam.fullname" $root }}-{{ $component }}
  labels: {{- include "exam.labels" . | nindent 4 }}
spec:
  podSelector: {matchLabels: {{ include "exam.selectorLabels" . | fromYaml | toJson }}}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range $edges }}{{- if eq (index . 1) $component }}
    - from: [{podSelector: {matchLabels: {{ include "exam.selectorLabels" (list $root (index . 0)) | fromYaml | toJson }}}}]
      ports: [{protocol: TCP, port: {{ index . 2 }}}]
    {{- end }}{{- end }}
    {{- if eq $component "gateway" }}
    - {{ with $values.networkPolicies.gatewayFrom }}from: {{ toJson . }}
      {{ end }}ports: [{protocol: TCP, port: 8080}]
    {{- end }}
    {{- if and (get $metricsPorts $component) $values.networkPolicies.metricsFrom }}
    - from: {{ toJson $values.networkPolicies.metricsFrom }}
      ports: [{protocol: TCP, port: {{ get $metricsPorts $component }}}]
    {{- end }}
  egress:
    - ports:
        {{- range $values.networkPolicies.dnsPorts }}
        - {protocol: UDP, port: {{ int . }}}
        - {protocol: TCP, port: {{ int . }}}
        {{- end }}
    {{- range $edges }}{{- if eq (index . 0) $component }}
    {{- if get $external (index . 1) }}
    # An external store: its address and port are in its Secret, which a template cannot read.
    - {{ with $values.networkPolicies.externalStorePorts }}
      ports:
        {{- range . }}
        - {protocol: TCP, port: {{ int . }}}
        {{- end }}
      {{- else }}{}{{ end }}
    {{- else }}
    - to: [{podSelector: {matchLabels: {{ include "exam.selectorLabels" (list $root (index . 1)) | fromYaml | toJson }}}}]
      ports: [{protocol: TCP, port: {{ index . 2 }}}]
    {{- end }}
    {{- end }}{{- end }}
    {{- if eq $component "operator" }}
    # The Kubernetes API server, whose address differs between clusters.
    - ports:
        {{- range $values.networkPolicies.apiServerPorts }}
        - {protocol: TCP, port: {{ int . }}}
        {{- end }}
    {{- end }}
{{- end }}
{{- end }}
