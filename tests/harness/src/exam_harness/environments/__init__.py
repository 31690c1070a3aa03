"""What the tests run the platform in: processes of this machine, a control plane, a cluster, Compose, skaffold."""
