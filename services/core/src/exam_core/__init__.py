"""The pure domain: no I/O, no framework, no clock and no chance of its own."""
