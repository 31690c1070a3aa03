"""A node that runs pods as child processes, in place of a scheduler and a kubelet."""
