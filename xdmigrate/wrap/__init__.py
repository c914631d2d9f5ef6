"""Wrappers of the contract, composed once at the root; the engine cannot tell a wrapped session from a bare one.

From the outside in: dry run, retry, limit, trace, connector. Retry stands outside the limit, so that each
reconnection gives its place back and takes a new one; dry run stands outside retry, so that what it makes up
outlives a lost connection.
"""
