{{/* A Service of a component with named ports: (list . "web" (dict "http" 8000)). */}}
{{- define "exam.service" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "exam.fullname" $root }}-{{ $component }}
  labels: {{- include "exam.labels" (list $root $component) | nindent 4 }}
spec:
  selector: {{- include "exam.selectorLabels" (list $root $component) | nindent 4 }}
  ports:
    {{- range $name, $port := index . 2 }}
    - {name: {{ $name }}, port: {{ $port }}, targetPort: {{ $name }}}
    {{- end }}
{{- end }}

{{/* A PodDisruptionBudget of a component: (list . "web"). Those of web, solver and grader belong to the operator. */}}
{{- define "exam.pdb" -}}
{{- $root := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "exam.fullname" $root }}-{{ index . 1 }}
  labels: {{- include "exam.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {{ include "exam.selectorLabels" . | fromYaml | toJson }}}
{{- end }}

{{/* Of a Deployment whose pods may be replaced while a sitting is open. */}}
{{- define "exam.replaceAnnotation" -}}examplatform.dev/replace-during-sittings{{- end }}

{{/* The annotations of such a Deployment, with upgradeDuringSittings. */}}
{{- define "exam.deploymentAnnotations" -}}
{{- if .Values.upgradeDuringSittings }}
annotations: { {{- include "exam.replaceAnnotation" . }}: "true"}
{{- end }}
{{- end }}
