"""Fuzzing of what reads hostile bytes: `./run fuzz MINUTES`."""
