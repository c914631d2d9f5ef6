"""Fault injection: a decision per operation, scripted, seeded or drawn, carried out around any session of the contract.

A `Faults` object numbers every operation of all the sessions that share it and asks `decide` what goes wrong with
each; equal decisions give equal runs. `FaultySource(faults, connect)` and `FaultyTarget(faults, connect)` are the
sessions.
"""

from xdmigrate.testing.faults.decide import Fault, Faults, Killed, Mode, Operation
from xdmigrate.testing.faults.sessions import FaultySource, FaultyTarget

__all__ = ["Fault", "Faults", "FaultySource", "FaultyTarget", "Killed", "Mode", "Operation"]
