"""Probes: monitors of the main loops, checks of the stores, and the HTTP server that reports them."""
