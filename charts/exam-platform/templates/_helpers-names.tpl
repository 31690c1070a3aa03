{{/* The prefix of every object's name. */}}
{{- define "exam.fullname" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{/* All labels of a component's objects: (list . "web"). */}}
{{- define "exam.labels" -}}
{{- $root := index . 0 -}}
{{ include "exam.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* The labels that select a component's pods: (list . "web"). */}}
{{- define "exam.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: exam-platform
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* An image reference: (list . .Values.web.image). A digest comes before the tag, which defaults to the chart's appVersion. */}}
{{- define "exam.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- with $root.Values.global.imageRegistry }}{{ . }}/{{ end -}}
{{ $image.repository }}{{ with $image.digest }}@{{ . }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The name of a PriorityClass: (list . "stores"). PriorityClasses are cluster-wide, hence the namespace in the name. */}}
{{- define "exam.priorityClassName" -}}
{{- $root := index . 0 -}}{{- $tier := index . 1 -}}
{{ get $root.Values.priorityClasses $tier | default (printf "%s-%s-%s" $root.Release.Namespace (include "exam.fullname" $root) $tier) }}
{{- end }}

{{/* The name of the Secret with the platform's own passwords and signing keys. */}}
{{- define "exam.secretName" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "exam.fullname" .)) }}
{{- end }}
