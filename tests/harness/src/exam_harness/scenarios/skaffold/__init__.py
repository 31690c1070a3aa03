"""`skaffold dev` on the local cluster: an edited source file is synced without a build."""
