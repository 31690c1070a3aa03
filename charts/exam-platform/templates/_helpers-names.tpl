{{- define "exam.fullname" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{/* Labels of a component: (list . "web"). */}}
{{- define "exam.labels" -}}
{{- $root := index . 0 -}}
{{ include "exam.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* What selects a component's pods: (list . "web"). */}}
{{- define "exam.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: exam-platform
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* An image: (list . .Values.web.image). A tag that is not given is the chart's version. */}}
{{- define "exam.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- with $root.Values.global.imageRegistry }}{{ . }}/{{ end -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* The name of a priority class: (list . "stores"). */}}
{{- define "exam.priorityClass" -}}
{{- $root := index . 0 -}}{{- $tier := index . 1 -}}
{{ get $root.Values.priorityClasses $tier | default (printf "%s-%s-%s" $root.Release.Namespace (include "exam.fullname" $root) $tier) }}
{{- end }}

{{/* The name of the Secret with what is ours alone. */}}
{{- define "exam.secretName" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "exam.fullname" .)) }}
{{- end }}
