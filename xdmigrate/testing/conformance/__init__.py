"""The conformance suite that every connector passes, the memory connector included. Needs pytest.

A connector's test file subclasses `ConnectorConformance`, names the class `Test…`, and gives one fixture, `profile`,
which describes a fresh, empty account for each case (docs/writing-a-connector.md shows one whole). The cases use the
contract alone, so whatever passes them can be a source or a target of every other connector. `ObjectConformance` is the
suite for events, tasks and contacts.
"""

import pytest

for _module in ("changing", "folders", "inviting", "kit", "objects", "reading", "sessions", "sharing", "writing"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from xdmigrate.testing.conformance.changing import ChangingCases  # noqa: E402 -- its asserts are rewritten
from xdmigrate.testing.conformance.folders import FolderCases  # noqa: E402
from xdmigrate.testing.conformance.inviting import InvitingCases  # noqa: E402
from xdmigrate.testing.conformance.objects import ObjectCases  # noqa: E402
from xdmigrate.testing.conformance.profile import Message, Profile  # noqa: E402
from xdmigrate.testing.conformance.reading import ReadingCases  # noqa: E402
from xdmigrate.testing.conformance.sessions import SessionCases  # noqa: E402
from xdmigrate.testing.conformance.sharing import SharingCases  # noqa: E402
from xdmigrate.testing.conformance.writing import WritingCases  # noqa: E402

__all__ = ["ConnectorConformance", "Message", "ObjectConformance", "Profile"]


class ConnectorConformance(SessionCases, FolderCases, ReadingCases, WritingCases, ChangingCases, SharingCases):
    """All cases of the suite; see the module's docstring for what a subclass gives."""


class ObjectConformance(ObjectCases, InvitingCases):
    """The cases for a store of events, tasks or contacts; the profile's `kind` says of which."""
