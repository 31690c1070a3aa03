"""Pure decisions: the next action, the status and its Events, the demand for pods, the manifests."""
