"""Finding a server by its domain (RFC 6764 section 6): SRV and TXT records, where the plan names no address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdmigrate.errors import EndpointError, Unreachable
from xdmigrate_dav.peer import Peer
from xdmigrate_dav.settings import Settings

if TYPE_CHECKING:
    from dns.rdtypes.IN.SRV import SRV

SERVICES = ("_caldavs._tcp", "_carddavs._tcp")


def address(settings: Settings) -> str:
    """The URL to begin with. Raises Unreachable or EndpointError."""
    if settings.url:
        return settings.url
    for service in SERVICES:
        if found := _looked_up(service, settings):
            return found
    return f"https://{settings.domain}/"


def within(host: str, domain: str) -> bool:
    """Whether the host belongs to the domain: DNS alone must not send credentials elsewhere (RFC 6764 section 8)."""
    host, domain = host.rstrip(".").lower(), domain.rstrip(".").lower()
    return host == domain or host.endswith("." + domain)


def _looked_up(service: str, settings: Settings) -> str:
    import dns.exception
    import dns.resolver

    peer, name = Peer(settings.endpoint, settings.domain), f"{service}.{settings.domain}"
    try:
        records = list(dns.resolver.resolve(name, "SRV"))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ""
    except dns.exception.DNSException as error:
        raise peer.error(Unreachable, f"cannot ask for {name}: {type(error).__name__}") from error
    best: SRV = min(records, key=lambda record: (record.priority, -record.weight, str(record.target)))
    host = str(best.target).rstrip(".")
    if not host:  # "not available here" (RFC 2782)
        return ""
    if not within(host, settings.domain):
        cause = f"{name} names {host}, outside the domain"
        raise peer.error(EndpointError, cause, f"if that is right, write `url: https://{host}/`")
    return f"https://{host}:{best.port}{_path(name)}"


def _path(name: str) -> str:
    """The path that a TXT record "path=…" tells; the well-known address is tried for "/"."""
    import dns.exception
    import dns.resolver

    try:
        texts = [b"".join(record.strings) for record in dns.resolver.resolve(name, "TXT")]
    except dns.exception.DNSException:
        return "/"
    told = next((text[5:].decode("ascii", "replace") for text in texts if text.lower().startswith(b"path=")), "/")
    return told if told.startswith("/") else "/"
