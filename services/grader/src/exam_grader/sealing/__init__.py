"""Sealing: reduces the answer log of a sitting to the answers that count."""
