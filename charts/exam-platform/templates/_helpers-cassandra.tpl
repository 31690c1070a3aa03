{{/* The files of Cassandra's configuration, by name. Without labels, so that their checksum does not change with the chart. */}}
{{- define "exam.cassandraConfig" -}}
{{- $name := printf "%s-cassandra" (include "exam.fullname" .) }}
{{- $seeds := list }}
{{- range .Values.cassandra.racks }}{{ $seeds = append $seeds (printf "%s-%s-0.%s-nodes" $name . $name) }}{{ end }}
cassandra.yaml: |
  cluster_name: {{ include "exam.fullname" . }}
  num_tokens: {{ ternary 1 16 (eq (int (include "exam.cassandraReplicationFactor" .)) 1) }}
  partitioner: org.apache.cassandra.dht.Murmur3Partitioner
  authenticator: PasswordAuthenticator
  authorizer: CassandraAuthorizer
  role_manager: CassandraRoleManager
  {{- /* A request uses what a node knows of its role, which is read anew every two seconds beside requests: a read in a request's
  path would fail with the node that it asks. */}}
  permissions_validity: 30s
  permissions_update_interval: 2s
  roles_validity: 30s
  roles_update_interval: 2s
  {{- /* The superuser alone can empty or drop a table. */}}
  drop_truncate_table_enabled: false
  data_file_directories: [/var/lib/cassandra/data]
  commitlog_directory: /var/lib/cassandra/commitlog
  saved_caches_directory: /var/lib/cassandra/saved_caches
  hints_directory: /var/lib/cassandra/hints
  cdc_raw_directory: /var/lib/cassandra/cdc_raw
  {{- /* An acknowledged write is on disk. */}}
  commitlog_sync: batch
  {{- /* Clients: listen on every address (the loopback serves `kubectl port-forward`); JVM_EXTRA_OPTS sets the pod's address as
  the broadcast address. Other nodes: the default listen_address, which is the address of the pod's host name. */}}
  rpc_address: 0.0.0.0
  endpoint_snitch: GossipingPropertyFileSnitch
  seed_provider:
    - class_name: org.apache.cassandra.locator.SimpleSeedProvider
      parameters: [{seeds: "{{ join "," $seeds }}"}]
  storage_compatibility_mode: NONE
  sstable: {selected_format: bti}
  memtable:
    configurations:
      trie: {class_name: TrieMemtable}
      default: {inherits: trie}
  disk_failure_policy: die
  commit_failure_policy: die
{{- range .Values.cassandra.racks }}
{{ . }}.properties: |
  dc=datacenter1
  rack={{ . }}
{{- end }}
{{- end }}

{{/* A container that runs a command of the answer log as the superuser: (list . name command). */}}
{{- define "exam.cassandraMigration" -}}
{{- $root := index . 0 -}}{{- $command := index . 2 -}}
- name: {{ index . 1 }}
  image: {{ include "exam.image" (list $root $root.Values.web.image) }}
  {{- include "exam.containerDefaults" $root | nindent 2 }}
  command: [python, -m, exam_answerlog, {{ $command }}, --wait, "600"]
  env:
    {{- include "exam.cassandraEnv" (list $root "migrate") | nindent 4 }}
    {{- if eq $command "roles" }}
    {{- range list "web" "solver" "grader" }}
    {{- include "exam.secretEnv" (list (printf "EXAM_CASSANDRA_%s_PASSWORD" (upper .)) (include "exam.secretName" $root) (printf "cassandra-%s-password" .)) | nindent 4 }}
    {{- end }}
    {{- end }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- include "exam.storeMounts" $root | nindent 4 }}
    {{- include "exam.extra" (list $root.Values.web "extraVolumeMounts") | nindent 4 }}
  resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}
{{- end }}
