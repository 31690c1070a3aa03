{{/* The configuration of a Redis with its users: (list . "redis"). */}}
{{- define "exam.redisConfig" -}}
{{- (index . 0).Files.Get (printf "files/redis/%s.conf" (ternary "cache" "broker" (eq (index . 1) "redis"))) }}
{{- if has (index . 1) (include "exam.exporters" (index . 0) | fromJsonArray) -}}
# Statistics; without CONFIG, which would show the passwords of the others.
user monitoring on >$REDIS_MONITORING_PASSWORD resetchannels -@all +ping +info +latency|latest +latency|histogram +slowlog|get +slowlog|len +client|setname
{{ end }}
{{- end }}

{{- define "exam.redisConfigMap" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "exam.fullname" $root }}-{{ $name }}
  labels: {{- include "exam.labels" . | nindent 4 }}
data:
  redis.conf: |
    {{- include "exam.redisConfig" . | nindent 4 }}
{{- end }}

{{/* The StatefulSet of a Redis: (list . "redis") is the cache, (list . "broker") has a volume. */}}
{{- define "exam.redisStatefulSet" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $values := get $root.Values $name -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "exam.fullname" $root }}-{{ $name }}
  labels: {{- include "exam.labels" . | nindent 4 }}
spec:
  serviceName: {{ include "exam.fullname" $root }}-{{ $name }}
  replicas: 1
  selector: {matchLabels: {{ include "exam.selectorLabels" . | fromYaml | toJson }}}
  template:
    metadata:
      # No version: a new chart restarts it only with other users or settings, which it reads when it is started.
      {{- include "exam.podMetadata" (list $root $values (include "exam.selectorLabels" .) (dict "checksum/config" (include "exam.redisConfig" . | sha256sum))) | nindent 6 }}
    spec:
      {{- include "exam.podDefaults" (list $root $values "stores" $name false) | nindent 6 }}
      containers:
        - name: redis
          image: {{ include "exam.image" (list $root $values.image) }}
          {{- include "exam.containerDefaults" $root | nindent 10 }}
          # Standard input has the configuration with the passwords, which then are not in the process list; `exec` makes Redis
          # the process that receives SIGTERM (in a pipeline the shell would).
          command:
            - sh
            - -ec
            - |
              eval "exec redis-server - <<END
              $(cat /etc/exam-redis/redis.conf)
              END"
          ports: [{name: redis, containerPort: 6379}]
          env:
            - {name: REDIS_DIR, value: /data}
            - {name: REDIS_MAX_MEMORY, value: {{ $values.maxMemory }}}
            {{- range $user := ternary (list "web" "solver" "probe") (list "web" "grader" "probe") (eq $name "redis") }}
            {{- include "exam.secretEnv" (list (printf "REDIS_%s_PASSWORD" (upper $user)) (include "exam.secretName" $root) (printf "redis-%s-password" $user)) | nindent 12 }}
            {{- end }}
            {{- if has $name (include "exam.exporters" $root | fromJsonArray) }}
            {{- include "exam.secretEnv" (list "REDIS_MONITORING_PASSWORD" (include "exam.secretName" $root) "redis-monitoring-password") | nindent 12 }}
            {{- end }}
            {{- include "exam.secretEnv" (list "REDISCLI_AUTH" (include "exam.secretName" $root) "redis-probe-password") | nindent 12 }}
            {{- include "exam.extra" (list $values "extraEnv") | nindent 12 }}
          {{- $ping := list "sh" "-c" "[ \"$(redis-cli --user probe ping)\" = PONG ]" | toJson }}
          startupProbe: {exec: {command: {{ $ping }}}, periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 3}
          livenessProbe: {exec: {command: {{ $ping }}}, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5}
          readinessProbe: {exec: {command: {{ $ping }}}, periodSeconds: 5, timeoutSeconds: 5}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: tmp, mountPath: /tmp}
            - {name: config, mountPath: /etc/exam-redis, readOnly: true}
            {{- include "exam.extra" (list $values "extraVolumeMounts") | nindent 12 }}
          resources: {{- toYaml $values.resources | nindent 12 }}
      volumes:
        - {name: tmp, emptyDir: {}}
        - {name: config, configMap: {name: {{ include "exam.fullname" $root }}-{{ $name }}}}
        {{- if eq $name "redis" }}
        - {name: data, emptyDir: {}}
        {{- end }}
        {{- include "exam.extra" (list $values "extraVolumes") | nindent 8 }}
  {{- if ne $name "redis" }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $values.storage.size }}}}
  {{- end }}
{{- end }}
