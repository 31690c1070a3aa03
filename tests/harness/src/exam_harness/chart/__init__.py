"""The Helm chart without a cluster: rendered manifests, allowed connections, and its generated README."""
