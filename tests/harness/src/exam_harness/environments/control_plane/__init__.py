"""A real Kubernetes control plane on this machine as child processes, without containers.

No scheduler and no kubelet run; `pods.node` replaces both for the pods of tests.
"""
