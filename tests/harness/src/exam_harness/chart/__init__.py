"""The chart without a cluster: rendered, read, and held against what it promises."""
