"""Pure decisions: the next action, the status, the demand for pods, the manifests."""
