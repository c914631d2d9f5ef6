"""Shipped for everybody who tests against xdmigrate: the memory connector, fault injection, the conformance suite."""
