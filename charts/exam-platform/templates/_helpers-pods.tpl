{{/* What every pod has, whoever it is: (list . uid tier). */}}
{{- define "exam.podBasics" -}}
priorityClassName: {{ include "exam.priorityClass" (list (index . 0) (index . 2)) }}
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

{{/* What every container has: (list . writable). */}}
{{- define "exam.containerSecurity" -}}
imagePullPolicy: {{ .Values.global.imagePullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ not .Values.reload }}
  capabilities: {drop: [ALL]}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* A key file from our Secret as a volume: (list . "web-keys.pem"). */}}
{{- define "exam.keysVolume" -}}
- name: keys
  secret:
    secretName: {{ include "exam.secretName" (index . 0) }}
    defaultMode: 0440
    items: [{key: {{ index . 1 }}, path: {{ index . 1 }}}]
{{- end }}

{{/* The command of one of our services, started anew at every change of a source where sources are synced: (list . "exam_solver --port 8000"). */}}
{{- define "exam.command" -}}
{{- if (index . 0).Values.reload }}
command: [watchfiles, --filter, python, --sigint-timeout, "20", {{ printf "python -m %s" (index . 1) | quote }}, /src]
{{- else }}
command: {{ concat (list "python" "-m") (splitList " " (index . 1)) | toJson }}
{{- end }}
{{- end }}

{{/*
Probes of our services: "http". A node on which a sitting's pods all start can stand still for seconds; who is slow then is
still better than nobody, and who is gone is out of the balance without a probe's saying so.
*/}}
{{- define "exam.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 1, failureThreshold: 120, timeoutSeconds: 3}
livenessProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: {{ . }}}, periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 5}
{{- end }}

{{/* Pods of a component on different nodes where there are several: (list . "web"). */}}
{{- define "exam.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "exam.selector" . | fromYaml | toJson }}}
{{- end }}
