{{/*
Pod fields that every pod shares, and those that values of a component set: (list . .Values.web "serving" "web" spread).
With `spread`, pods are spread over the nodes unless the values have other constraints; those select the component's pods.
*/}}
{{- define "exam.podDefaults" -}}
{{- $group := index . 1 -}}
{{- $selector := dict "matchLabels" (include "exam.selectorLabels" (list (index . 0) (index . 3)) | fromYaml) -}}
priorityClassName: {{ include "exam.priorityClassName" (list (index . 0) (index . 2)) }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with (index . 0).Values.global.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- /* null: the cluster assigns a user (OpenShift). */}}
  {{- with $group.runAsUser }}
  runAsUser: {{ int . }}
  runAsGroup: {{ int . }}
  fsGroup: {{ int . }}
  {{- end }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $group $field }}
{{ $field }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- if $group.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range $group.topologySpreadConstraints }}
  - {{ merge (deepCopy .) (dict "labelSelector" $selector) | toJson }}
  {{- end }}
{{- else if index . 4 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {{ toJson $selector }}
{{- end }}
{{- end }}

{{/* Container fields that every container shares. */}}
{{- define "exam.containerDefaults" -}}
imagePullPolicy: {{ .Values.global.imagePullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ not .Values.reload }}
  capabilities: {drop: [ALL]}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* A volume with key files from the platform's Secret: (list . "web-keys.pem" "statement-keys.pem"). */}}
{{- define "exam.keysVolume" -}}
- name: keys
  secret:
    secretName: {{ include "exam.secretName" (index . 0) }}
    defaultMode: 0440
    items:
      {{- range rest . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}

{{/* The command of a Python service: (list . "exam_solver --port 8000"). With `reload`, it restarts when a synced source changes. */}}
{{- define "exam.command" -}}
{{- if (index . 0).Values.reload }}
command: [watchfiles, --filter, python, --sigint-timeout, "20", {{ printf "python -m %s" (index . 1) | quote }}, /src]
{{- else }}
command: {{ concat (list "python" "-m") (splitList " " (index . 1)) | toJson }}
{{- end }}
{{- end }}

{{/*
Probes of the Python services: "http" names the port. The timeouts are long, because a node on which all pods of a sitting start
can stall for seconds: a slow pod still serves better than none, and a pod that has terminated leaves the endpoints without a probe.
*/}}
{{- define "exam.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 1, failureThreshold: 120, timeoutSeconds: 3}
livenessProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: {{ . }}}, periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5}
{{- end }}

{{/*
Labels and annotations of a component's pods: (list . .Values.web (include "exam.labels" (list . "web")) annotations). Those of
the values are added; they do not replace the chart's.
*/}}
{{- define "exam.podMetadata" -}}
{{- $group := index . 1 -}}
labels: {{- merge (fromYaml (index . 2)) $group.podLabels | toYaml | nindent 2 }}
{{- with merge (deepCopy (index . 3)) $group.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Additional items of a component's container or pod: (list .Values.web "extraEnv"). */}}
{{- define "exam.extra" -}}
{{- with get (index . 0) (index . 1) }}{{ toYaml . }}{{ end }}
{{- end }}
