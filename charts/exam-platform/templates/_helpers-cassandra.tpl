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

{{/* The container that migrates Cassandra's schema. */}}
{{- define "exam.cassandraSchema" -}}
- name: cassandra
  image: {{ include "exam.image" (list . .Values.web.image) }}
  {{- include "exam.containerDefaults" . | nindent 2 }}
  command: [python, -m, exam_answerlog, migrate, --wait, "600"]
  env: {{- include "exam.cassandraEnv" (list . "migrate") | nindent 4 }}
  volumeMounts: [{name: tmp, mountPath: /tmp}]
  resources: {requests: {cpu: 50m, memory: 128Mi}, limits: {memory: 512Mi}}
{{- end }}
