"""The running operator: work queue, reconciler, scaling, probes."""
