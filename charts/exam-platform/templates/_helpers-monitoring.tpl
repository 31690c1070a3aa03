{{/*
Restrict a PromQL expression to this release: (list . expression). The labels are those that ServiceMonitors give; without them,
metrics may have others, and the expression is unchanged.
*/}}
{{- define "exam.ofRelease" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.monitoring.serviceMonitors.enabled -}}
{{- $labels := printf "namespace=%q,service=~\"%s-(web|solver|grader|beat|operator)\"" $root.Release.Namespace (include "exam.fullname" $root) -}}
{{- regexReplaceAll "\\b(exam_[a-z_]+)" (index . 1) (printf "${1}{%s}" $labels) | replace "}{" "," -}}
{{- else -}}
{{- index . 1 -}}
{{- end -}}
{{- end }}
