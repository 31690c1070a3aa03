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

{{/* The name of the Secret with what is ours alone. */}}
{{- define "exam.secretName" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "exam.fullname" .)) }}
{{- end }}

{{/* A variable from a Secret: (list "NAME" secret key). */}}
{{- define "exam.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end }}

{{/* PostgreSQL's address for a role: (list . "EXAM_DATABASE_URL" "web"). */}}
{{- define "exam.postgresEnv" -}}
{{- $root := index . 0 -}}{{- $role := index . 2 -}}
{{- with $root.Values.postgres.existingSecret }}
{{- include "exam.secretEnv" (list (index $ 1) . (printf "%s-url" $role)) }}
{{- else }}
{{- include "exam.secretEnv" (list "POSTGRES_ROLE_PASSWORD" (include "exam.secretName" $root) (printf "postgres-%s-password" $role)) }}
- name: {{ index . 1 }}
  value: postgresql://exam_{{ $role }}:$(POSTGRES_ROLE_PASSWORD)@{{ include "exam.fullname" $root }}-postgres:5432/exam
{{- end }}
{{- end }}

{{- define "exam.redisEnv" -}}
{{- if .Values.redis.existingSecret }}
{{- include "exam.secretEnv" (list "EXAM_REDIS_URL" .Values.redis.existingSecret "url") }}
{{- else }}
{{- include "exam.secretEnv" (list "REDIS_PASSWORD" (include "exam.secretName" .) "redis-password") }}
- name: EXAM_REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "exam.fullname" . }}-redis:6379/0
{{- end }}
{{- end }}

{{- define "exam.cassandraEnv" -}}
{{- if .Values.cassandra.existingSecret }}
{{- range $name, $key := dict "HOSTS" "hosts" "USERNAME" "username" "PASSWORD" "password" "LOCAL_DC" "local-dc" "REPLICATION" "replication" }}
{{ include "exam.secretEnv" (list (printf "EXAM_CASSANDRA_%s" $name) $.Values.cassandra.existingSecret $key) }}
{{- end }}
{{- else }}
{{ include "exam.secretEnv" (list "EXAM_CASSANDRA_PASSWORD" (include "exam.secretName" .) "cassandra-password") }}
- {name: EXAM_CASSANDRA_USERNAME, value: exam}
- {name: EXAM_CASSANDRA_HOSTS, value: {{ include "exam.fullname" . }}-cassandra}
- {name: EXAM_CASSANDRA_LOCAL_DC, value: datacenter1}
- {name: EXAM_CASSANDRA_REPLICATION, value: {{ include "exam.cassandraCopies" . | quote }}}
{{- end }}
{{- end }}

{{/* Copies of each row: three where there are as many nodes, never more than nodes. */}}
{{- define "exam.cassandraCopies" -}}
{{ min 3 (mul (len .Values.cassandra.racks) .Values.cassandra.nodesPerRack) }}
{{- end }}

{{/* What web and its commands read. */}}
{{- define "exam.webEnv" -}}
- {name: DJANGO_SETTINGS_MODULE, value: exam_web.settings}
- {name: EXAM_LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: EXAM_LEASE_TTL_MS, value: {{ .Values.leaseTtlMs | quote }}}
- {name: EXAM_ALLOWED_HOSTS, value: {{ printf "%s,%s-web" .Values.hosts.web (include "exam.fullname" .) | quote }}}
- {name: EXAM_CSRF_TRUSTED_ORIGINS, value: {{ join "," .Values.trustedOrigins | quote }}}
- {name: EXAM_INSECURE_HTTP, value: {{ .Values.insecureHttp | quote }}}
- {name: EXAM_WEB_THREADS, value: {{ .Values.web.threads | quote }}}
- {name: EXAM_SIGNING_KEYS_FILE, value: /keys/web-keys.pem}
{{ include "exam.secretEnv" (list "EXAM_SECRET_KEY" (include "exam.secretName" .) "secret-key") }}
{{ include "exam.secretEnv" (list "EXAM_SERVICE_TOKEN" (include "exam.secretName" .) "service-token") }}
{{ include "exam.postgresEnv" (list . "EXAM_DATABASE_URL" "web") }}
{{ include "exam.redisEnv" . }}
{{ include "exam.cassandraEnv" . }}
{{- end }}

{{/* What grader processes read: no signing key, no service token. */}}
{{- define "exam.graderEnv" -}}
- {name: DJANGO_SETTINGS_MODULE, value: exam_web.settings}
- {name: EXAM_COMPONENT, value: grader}
- {name: EXAM_LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: EXAM_LEASE_TTL_MS, value: {{ .Values.leaseTtlMs | quote }}}
- {name: EXAM_GRADER_CONCURRENCY, value: {{ .Values.grader.concurrency | quote }}}
{{ include "exam.postgresEnv" (list . "EXAM_DATABASE_URL" "grader") }}
{{ include "exam.redisEnv" . }}
{{ include "exam.cassandraEnv" . }}
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
