"""The sample Exams in a real Kubernetes cluster."""
