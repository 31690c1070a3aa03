"""Programs built from Go modules into the cache: Kubernetes, etcd, helm, kind and more."""
