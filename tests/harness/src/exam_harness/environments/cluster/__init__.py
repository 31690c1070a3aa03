"""A local Kubernetes cluster with the platform in it: kind, images, addons and the chart."""
