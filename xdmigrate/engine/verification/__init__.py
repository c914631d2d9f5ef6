"""Verification, independent of the copy path: it shares `scope`, `names` and `match` with a pass, and nothing else."""
