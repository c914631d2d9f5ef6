"""Names the extra whose libraries the OAuth flows need."""

from __future__ import annotations

from importlib.util import find_spec

from xdmigrate.errors import ExtraMissing

LIBRARIES = {
    "client-credentials": ("msal", "msal"),
    "device-code": ("msal", "msal"),
    "google-service-account": ("google.auth", "google-auth"),
}
"""Flow to the module that it needs, and the distribution that brings it."""


def require(flow: str) -> None:
    """Raise ExtraMissing when the flow's library is not installed; imports nothing of it."""
    module, distribution = LIBRARIES[flow]
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # the package around it is not there either
        found = None
    if found is None:
        message = f"`auth.oauth` with flow {flow} needs {distribution}, which is not installed"
        raise ExtraMissing(message, remedy="install xdmigrate[oauth]")
