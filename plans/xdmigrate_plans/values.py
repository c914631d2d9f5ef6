"""The types of a plan's values: what each accepts, and what it says when it does not."""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from xdmigrate.model import Role
from xdmigrate_plans import references
from xdmigrate_plans.faults import suggest
from xdmigrate_plans.templates import Fields, unknown_fields
from xdmigrate_plans.textfile import unprintable

MAX_TEXT = 1000  # characters
UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kKMGT]?B)")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def fault(message: str, remedy: str = "", key: str = "") -> PydanticCustomError:
    """A validator's complaint. The message follows the value; `key` points at one key of a section."""
    return PydanticCustomError("fault", "{message}", {"message": message, "remedy": remedy, "key": key})


def _text(value: str) -> str:
    if not value or value != value.strip():
        raise fault("is empty" if not value.strip() else "begins or ends with a space", "write the text alone")
    if len(value) > MAX_TEXT:
        raise fault(f"is longer than {MAX_TEXT} characters", "shorten it")
    if unprintable(value):
        raise fault("holds a control character", "remove it; a line break is one, too")
    return value


def _template(value: str) -> str:
    for word in unknown_fields(value):
        raise fault(f"holds the unknown field {{{word}}}", suggest(word, Fields.__slots__))
    return value


def _secret(value: Any) -> str:
    try:
        return str(references.parse(_text(value) if isinstance(value, str) else ""))
    except references.NotAReference as error:
        raise fault(str(error), references.REMEDY) from None


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    octets = int(Decimal(found[1]) * UNITS[found[2]]) if found else 0
    if not 0 < octets < 2**63:
        raise fault("is not a size", "write for example 50MB (decimal: 1 MB is 1,000,000 bytes)")
    return octets


def _day(value: Any) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise fault("is not a date", "write YYYY-MM-DD, for example 2015-01-31") from None


def _host(value: str) -> str:
    if "://" in value or "/" in value or "@" in value or any(map(str.isspace, value)):
        raise fault("is not a host name", "write the name alone, for example imap.example.com")
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if ":" in bare and not _is_ip(bare):
        raise fault("is not a host name", "write the port under `port`")
    return bare.lower()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether traffic to this host never leaves the machine (RFC 6761 §6.3 for the name)."""
    if _is_ip(host):
        return ipaddress.ip_address(host).is_loopback
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _fingerprint(value: str) -> str:
    bare = value.lower().removeprefix("sha256:").replace(":", "")
    if not _FINGERPRINT.fullmatch(bare):
        raise fault("is not a SHA-256 fingerprint", "write its 64 hexadecimal digits, with or without colons")
    return bare


def _pattern(value: str) -> str:
    if not value.startswith("\\"):
        return value
    roles = {role.value.lower(): role.value for role in Role}
    if value.lower() in roles:
        return roles[value.lower()]
    near = get_close_matches(value.lower(), roles, n=1, cutoff=0.5)
    raise fault(
        "is no special use", f"did you mean {roles[near[0]]}?" if near else f"known: {', '.join(roles.values())}"
    )


def _folder(value: str) -> str:
    if value.startswith("\\") or "" in value.split("/"):
        raise fault("is not a folder", 'write its full name, levels joined by "/"')
    return value


def _timezone(value: str) -> str:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        if zones := available_timezones():  # empty on machines without time zone data: nothing can be said there
            near = get_close_matches(value, zones, n=1)
            raise fault(
                "is no time zone", f"did you mean {near[0]}?" if near else "write for example Europe/London"
            ) from None
    return value


def _matches(pattern: str, rule: str) -> tuple[AfterValidator, WithJsonSchema]:
    known = re.compile(pattern)

    def check(value: str) -> str:
        if not known.fullmatch(value):
            raise fault("is not accepted here", rule)
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Text = Annotated[str, AfterValidator(_text)]
PlanName = Annotated[str, *_matches(r"[a-z0-9][a-z0-9-]{0,62}", "use up to 63 of a-z, 0-9 and -")]
EndpointName = Annotated[str, *_matches(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "use up to 63 letters, digits, - and _")]
Label = Annotated[str, *_matches(r"[^\W_][\w .-]{0,62}", "use up to 63 letters, digits, spaces, dots, - and _")]
Language = Annotated[str, *_matches(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "write for example en or en-GB")]
TimeZone = Annotated[Text, AfterValidator(_timezone)]
Template = Annotated[Text, AfterValidator(_template)]
Secret = Annotated[
    str,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(references.SCHEMES)}):."}),
]
Host = Annotated[Text, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Fingerprint = Annotated[Text, AfterValidator(_fingerprint)]
FolderPattern = Annotated[Text, AfterValidator(_pattern)]
FolderPath = Annotated[Text, AfterValidator(_folder)]
Day = Annotated[date, BeforeValidator(_day)]
Size = Annotated[
    int, BeforeValidator(_size), WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]})
]
