{{/* The stores whose metrics are exported, as JSON: those that the chart deploys. */}}
{{- define "exam.exporters" -}}
{{- $stores := list }}
{{- range $store := ternary (list "broker" "cassandra" "postgres" "redis") list .Values.exporters.enabled }}
{{- if not (get $.Values $store).existingSecret }}{{ $stores = append $stores $store }}{{ end }}
{{- end }}
{{- toJson $stores }}
{{- end }}

{{/* The port of a store's exporter: "postgres". */}}
{{- define "exam.exporterPort" -}}
{{- get (dict "cassandra" "9142" "postgres" "9187" "redis" "9121" "broker" "9121") . }}
{{- end }}

{{/*
Restrict a PromQL expression to this release: (list . expression). The labels are those that ServiceMonitors give; without them,
metrics may have others, and the expression is unchanged.
*/}}
{{- define "exam.ofRelease" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.monitoring.serviceMonitors.enabled -}}
{{- $labels := printf "namespace=%q,service=~\"%s-(web|solver|grader|beat|operator|(broker|cassandra|postgres|redis)-exporter)\"" $root.Release.Namespace (include "exam.fullname" $root) -}}
{{- regexReplaceAll "\\b((?:exam|pg|redis)_[a-z_]+)" (index . 1) (printf "${1}{%s}" $labels) | replace "}{" "," -}}
{{- else -}}
{{- index . 1 -}}
{{- end -}}
{{- end }}
