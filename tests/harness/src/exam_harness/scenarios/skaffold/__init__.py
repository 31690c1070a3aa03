"""`skaffold dev` on the local cluster."""
