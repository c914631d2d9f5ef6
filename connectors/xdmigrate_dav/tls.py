"""Which certificate is believed: the system's authorities', those of `ca`, or exactly one by its fingerprint."""

from __future__ import annotations

import ssl
from hashlib import sha256

from xdmigrate.errors import CertificateRejected
from xdmigrate_dav.peer import Peer
from xdmigrate_dav.settings import Settings


def context(settings: Settings, peer: Peer) -> ssl.SSLContext:
    """What a connection is made with. Raises CertificateRejected when `ca` cannot be read."""
    if settings.fingerprint:
        return _only(settings.fingerprint)
    try:
        return ssl.create_default_context(cafile=settings.ca or None)
    except (OSError, ValueError) as error:
        cause = f"`ca` {settings.ca} cannot be read: {error}"
        raise peer.error(CertificateRejected, cause, "name a file of PEM certificates") from error


def nothing() -> ssl.SSLContext:
    """For plain HTTP, where no certificate is ever seen: believes none, and costs nothing to make."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _only(fingerprint: bytes) -> ssl.SSLContext:
    """Believes the one certificate, whoever signed it, and ends every other handshake before anything is sent."""

    class Pinned(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 -- as it is declared
            super().do_handshake(block)
            found = sha256(self.getpeercert(binary_form=True) or b"").digest()
            if found != fingerprint:
                raise ssl.SSLCertVerificationError(f"the certificate's SHA-256 is {found.hex()}")

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.sslsocket_class = Pinned
    return made
