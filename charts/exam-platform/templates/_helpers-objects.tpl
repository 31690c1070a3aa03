{{/* A Service of a component: (list . "web" "http" 8000). */}}
{{- define "exam.service" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "exam.fullname" $root }}-{{ $component }}
  labels: {{- include "exam.labels" (list $root $component) | nindent 4 }}
spec:
  selector: {{- include "exam.selector" (list $root $component) | nindent 4 }}
  ports: [{name: {{ index . 2 }}, port: {{ index . 3 }}, targetPort: {{ index . 2 }}}]
{{- end }}

{{/* A disruption budget of a component that the operator does not own: (list . "web"). */}}
{{- define "exam.pdb" -}}
{{- $root := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "exam.fullname" $root }}-{{ index . 1 }}
  labels: {{- include "exam.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {{ include "exam.selector" . | fromYaml | toJson }}}
{{- end }}
