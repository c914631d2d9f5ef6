"""Test data: generated accounts, awkward folder names, and the loader of the real corpus."""
