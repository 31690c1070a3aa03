{{/* Pod fields that every pod shares: (list . uid tier). */}}
{{- define "exam.podDefaults" -}}
priorityClassName: {{ include "exam.priorityClassName" (list (index . 0) (index . 2)) }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with (index . 0).Values.global.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 1 }}
  fsGroup: {{ index . 1 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
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

{{/* Spread a component's pods over the nodes: (list . "web"). */}}
{{- define "exam.topologySpread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "exam.selectorLabels" . | fromYaml | toJson }}}
{{- end }}
