"""The sample Exams in a real Kubernetes cluster, answered through its Ingress."""
