"""A real Kubernetes control plane on this machine, without a container: built from its sources, run as child processes.

What is missing is what a test can do without or brings itself: no scheduler and no kubelet run here, `node` stands in.
"""
