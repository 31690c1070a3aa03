{{/* An environment variable from a Secret: (list "NAME" secret key). */}}
{{- define "exam.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end }}

{{/* The PostgreSQL URL of a role: (list . "EXAM_DATABASE_URL" "web"). */}}
{{- define "exam.postgresUrl" -}}
{{- $root := index . 0 -}}{{- $role := index . 2 -}}
{{- with $root.Values.postgres.existingSecret }}
- name: {{ index $ 1 }}
  # Only the owner's may be missing, in Secrets of earlier releases: `migrate` says then what to run.
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $role }}-url{{ if eq $role "owner" }}, optional: true{{ end }}}}
{{- else }}
{{- include "exam.secretEnv" (list (printf "POSTGRES_%s_PASSWORD" (upper $role)) (include "exam.secretName" $root) (ternary "postgres-password" (printf "postgres-%s-password" $role) (eq $role "admin"))) }}
- name: {{ index . 1 }}
  value: postgresql://{{ ternary "postgres" (printf "exam_%s" $role) (eq $role "admin") }}:$(POSTGRES_{{ upper $role }}_PASSWORD)@{{ include "exam.fullname" $root }}-postgres:5432/exam
{{- end }}
{{- end }}

{{/* The PostgreSQL URL of a service's role, and TLS for all URLs of the container: as exam.postgresUrl. */}}
{{- define "exam.postgresEnv" -}}
{{- include "exam.postgresUrl" . }}
{{- with (index . 0).Values.postgres.tls }}
{{- if .mode }}
- {name: PGSSLMODE, value: {{ .mode }}}
{{- end }}
{{- if .caSecret }}
- {name: PGSSLROOTCERT, value: /etc/exam-stores/postgres.crt}
{{- else if eq .mode "verify-full" }}
- {name: PGSSLROOTCERT, value: system}
{{- end }}
{{- end }}
{{- end }}

{{/* The URL of the cache for a user: (list . "web"). */}}
{{- define "exam.redisEnv" -}}
{{- $root := index . 0 -}}{{- $user := index . 1 -}}
{{- with $root.Values.redis }}
{{- if .existingSecret }}
{{- include "exam.secretEnv" (list "EXAM_REDIS_URL" .existingSecret (get .urlKeys $user)) }}
{{- if .tls.caSecret }}
- {name: EXAM_REDIS_CA_FILE, value: /etc/exam-stores/redis.crt}
{{- end }}
{{- else }}
{{- include "exam.redisUserEnv" (list $root $user "EXAM_REDIS_URL" "redis") }}
{{- end }}
{{- end }}
{{- end }}

{{/* The URL of the broker for a user: (list . "grader"). */}}
{{- define "exam.brokerEnv" -}}
{{- $root := index . 0 -}}{{- $user := index . 1 -}}
{{- with $root.Values.broker }}
{{- if .existingSecret }}
{{- include "exam.secretEnv" (list "EXAM_BROKER_URL" .existingSecret (printf "%s-url" $user)) }}
{{- if .tls.caSecret }}
- {name: EXAM_BROKER_CA_FILE, value: /etc/exam-stores/broker.crt}
{{- end }}
{{- else }}
{{- include "exam.redisUserEnv" (list $root $user "EXAM_BROKER_URL" "broker") }}
{{- end }}
{{- end }}
{{- end }}

{{/* The URL of the chart's own Redis: (list . user variable component). */}}
{{- define "exam.redisUserEnv" -}}
{{- $root := index . 0 -}}{{- $user := index . 1 -}}
{{- $password := printf "%s_PASSWORD" (upper (index . 3)) -}}
{{- include "exam.secretEnv" (list $password (include "exam.secretName" $root) (printf "redis-%s-password" $user)) }}
- name: {{ index . 2 }}
  value: redis://{{ $user }}:$({{ $password }})@{{ include "exam.fullname" $root }}-{{ index . 3 }}:6379/0
{{- end }}

{{/*
Cassandra's contact points, replication and the credentials of a component's role: (list . "web"). "migrate" is the superuser.
An external Cassandra has one role for all, unless componentRoles is set.
*/}}
{{- define "exam.cassandraEnv" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $cassandra := $root.Values.cassandra -}}
{{- $migrates := eq $component "migrate" -}}
{{- if $cassandra.existingSecret }}
{{- $prefix := ternary (printf "%s-" $component) "" (and $cassandra.componentRoles (not $migrates)) }}
{{- range $name, $key := dict "HOSTS" "hosts" "USERNAME" (print $prefix "username") "PASSWORD" (print $prefix "password") "LOCAL_DC" "local-dc" "REPLICATION" "replication" }}
{{ include "exam.secretEnv" (list (printf "EXAM_CASSANDRA_%s" $name) $cassandra.existingSecret $key) }}
{{- end }}
- {name: EXAM_CASSANDRA_PORT, value: {{ $cassandra.port | quote }}}
{{- with $cassandra.tls }}
{{- if .mode }}
- {name: EXAM_CASSANDRA_TLS, value: {{ .mode }}}
{{- end }}
{{- if .caSecret }}
- {name: EXAM_CASSANDRA_TLS_CA_FILE, value: /etc/exam-stores/cassandra.crt}
{{- end }}
{{- end }}
{{- else }}
{{ include "exam.secretEnv" (list "EXAM_CASSANDRA_PASSWORD" (include "exam.secretName" $root) (ternary "cassandra-password" (printf "cassandra-%s-password" $component) $migrates)) }}
- {name: EXAM_CASSANDRA_USERNAME, value: {{ ternary "exam" (printf "exam_%s" $component) $migrates }}}
- {name: EXAM_CASSANDRA_HOSTS, value: {{ include "exam.fullname" $root }}-cassandra}
- {name: EXAM_CASSANDRA_LOCAL_DC, value: datacenter1}
- {name: EXAM_CASSANDRA_REPLICATION, value: {{ include "exam.cassandraReplicationFactor" $root | quote }}}
{{- end }}
{{- end }}

{{/* The replication factor: three, or the number of nodes if that is smaller. */}}
{{- define "exam.cassandraReplicationFactor" -}}
{{ min 3 (mul (len .Values.cassandra.racks) .Values.cassandra.nodesPerRack) }}
{{- end }}

{{/*
Until when web's public port also serves what operators and solvers of a release call whose callers share one token: for an
hour from an upgrade that replaces them. The cluster's operator shows it, and web in a repeated upgrade; without the cluster
(GitOps) the value does. Else empty.
*/}}
{{- define "exam.formerCallersUntil" -}}
{{- if .Values.web.formerCallersUntil -}}
{{ .Values.web.formerCallersUntil }}
{{- else if .Release.IsUpgrade -}}
{{- $format := "2006-01-02T15:04:05Z" -}}
{{- $until := "" -}}
{{- range $component := list "operator" "web" -}}
{{- $deployment := lookup "apps/v1" "Deployment" $.Release.Namespace (printf "%s-%s" (include "exam.fullname" $) $component) | default dict -}}
{{- range dig "spec" "template" "spec" "containers" list $deployment }}{{- range .env -}}
{{- if and (eq $component "operator") (eq .name "EXAM_SERVICE_TOKEN") -}}
{{- $until = dateInZone $format (now | dateModify "+1h") "UTC" -}}
{{- else if and (eq .name "EXAM_FORMER_CALLERS_UNTIL") (gt (toString .value) (dateInZone $format now "UTC")) -}}
{{- $until = .value -}}
{{- end -}}
{{- end }}{{- end -}}
{{- end -}}
{{- $until -}}
{{- end -}}
{{- end }}

{{/* The environment of web and its management commands. */}}
{{- define "exam.webEnv" -}}
- {name: DJANGO_SETTINGS_MODULE, value: exam_web.settings}
- {name: EXAM_LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: EXAM_ALLOWED_HOSTS, value: {{ printf "%s,%s-web" .Values.hosts.web (include "exam.fullname" .) | quote }}}
- {name: EXAM_CSRF_TRUSTED_ORIGINS, value: {{ concat (ternary list (list (printf "https://%s" .Values.hosts.web)) .Values.insecureHttp) .Values.trustedOrigins | join "," | quote }}}
- {name: EXAM_INSECURE_HTTP, value: {{ .Values.insecureHttp | quote }}}
- {name: EXAM_WEB_THREADS, value: {{ .Values.web.threads | quote }}}
- {name: EXAM_DEFAULT_OWNER, value: {{ .Values.web.defaultOwner | quote }}}
- {name: EXAM_SIGNING_KEYS_FILE, value: /keys/web-keys.pem}
- {name: EXAM_STATEMENT_KEYS_FILE, value: /keys/statement-keys.pem}
- {name: EXAM_OPERATOR_SERVICE_KEYS_FILE, value: /keys/operator-service-keys.pem}
- {name: EXAM_SOLVER_SERVICE_KEYS_FILE, value: /keys/solver-service-keys.pem}
{{ include "exam.secretEnv" (list "EXAM_SECRET_KEY" (include "exam.secretName" .) "secret-key") }}
{{- with include "exam.formerCallersUntil" . }}
- {name: EXAM_FORMER_CALLERS_UNTIL, value: {{ . | quote }}}
{{ include "exam.secretEnv" (list "EXAM_SERVICE_TOKEN" (include "exam.secretName" $) "service-token") }}
{{- end }}
{{ include "exam.postgresEnv" (list . "EXAM_DATABASE_URL" "web") }}
{{ include "exam.redisEnv" (list . "web") }}
{{ include "exam.brokerEnv" (list . "web") }}
{{ include "exam.cassandraEnv" (list . "web") }}
{{ include "exam.extra" (list .Values.web "extraEnv") }}
{{- end }}

{{/* The environment of grader processes: without keys. */}}
{{- define "exam.graderEnv" -}}
- {name: DJANGO_SETTINGS_MODULE, value: exam_web.settings}
- {name: EXAM_COMPONENT, value: grader}
- {name: EXAM_LOG_LEVEL, value: {{ .Values.logLevel }}}
- {name: EXAM_GRADER_CONCURRENCY, value: {{ .Values.grader.concurrency | quote }}}
{{ include "exam.postgresEnv" (list . "EXAM_DATABASE_URL" "grader") }}
{{ include "exam.brokerEnv" (list . "grader") }}
{{ include "exam.cassandraEnv" (list . "grader") }}
{{ include "exam.extra" (list .Values.grader "extraEnv") }}
{{- end }}
