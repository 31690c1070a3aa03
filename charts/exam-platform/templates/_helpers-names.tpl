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

{{/*
The prefix of the names of cluster-wide objects, and of objects in namespaces of others. No namespace contains a dot: with a dash, release `c`
of `a-b` and release `b-c` of `a` would have the same names.
*/}}
{{- define "exam.clusterName" -}}{{ .Release.Namespace }}.{{ include "exam.fullname" . }}{{- end }}

{{/*
The name of a PriorityClass: (list . "stores"). Charts before had a dash for the dot: a class of such a name that is this release's keeps it,
because another class would restart the stores.
*/}}
{{- define "exam.priorityClassName" -}}
{{- $root := index . 0 -}}{{- $tier := index . 1 -}}
{{- $former := printf "%s-%s-%s" $root.Release.Namespace (include "exam.fullname" $root) $tier }}
{{- $owner := dig "metadata" "annotations" dict (lookup "scheduling.k8s.io/v1" "PriorityClass" "" $former | default dict) }}
{{- $isOwn := and (eq (get $owner "meta.helm.sh/release-name") $root.Release.Name) (eq (get $owner "meta.helm.sh/release-namespace") $root.Release.Namespace) }}
{{- get $root.Values.priorityClasses $tier | default (ternary $former (printf "%s-%s" (include "exam.clusterName" $root) $tier) $isOwn) }}
{{- end }}

{{/* The name of the Secret with the platform's own passwords and signing keys. */}}
{{- define "exam.secretName" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "exam.fullname" .)) }}
{{- end }}
