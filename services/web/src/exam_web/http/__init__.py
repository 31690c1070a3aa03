"""HTTP: problems, probes, request context, headers and rendering, shared by the apps."""
