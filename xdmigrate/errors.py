"""Every way in which xdmigrate can fail, classified on one page.

An error names the thing, the cause and the remedy; its class says how far it reaches (`Reach`), whether trying
again may help (`retriable`), the machine-readable `code` and the process's exit code. Business code never chooses
an exit code and the command line has no chain of `except` clauses: both read the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Reach(StrEnum):
    """How much work an error stops."""

    RUN = "run"  # the whole command
    ENDPOINT = "endpoint"  # every mailbox that needs this endpoint
    MAILBOX = "mailbox"  # this mailbox only; the others go on
    ITEM = "item"  # this item only; it is quarantined


class XdmigrateError(Exception):
    """Base of all errors that are told to a person in one line.

    `message` names the thing and the cause, `remedy` what to do about it. `endpoint` and `mailbox` are names, where
    they are known. Neither may hold a secret, a subject or a body.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1
    reach: ClassVar[Reach] = Reach.RUN
    retriable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str = "", endpoint: str = "", mailbox: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.endpoint = endpoint
        self.mailbox = mailbox

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


# --- fatal: a person has to change something first -------------------------------------------------------------


class UsageError(XdmigrateError):
    """The command line asks for something that does not exist."""

    code = "usage"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a plan: where it stands, what stands there, and what would be right."""

    file: str
    line: int
    where: str  # dotted path inside the plan, e.g. "endpoints.old.host"
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: {self.where}: {self.message}"
        return f"{text}; {self.remedy}" if self.remedy else text


class PlanInvalid(XdmigrateError):
    """The plan has faults; all of them are in `problems`."""

    code = "plan-invalid"
    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class SecretUnreadable(XdmigrateError):
    """A secret reference cannot be resolved: missing, wrong mode, no key, wrong key."""

    code = "secret-unreadable"
    exit_code = 2
    reach = Reach.MAILBOX  # the secrets of the others may well be readable


class ExtraMissing(XdmigrateError):
    """A connector needs a library that is not installed; the remedy names the extra."""

    code = "extra-missing"
    exit_code = 2


class StateUnusable(XdmigrateError):
    """The state cannot be opened: newer version, damaged, not writable."""

    code = "state-unusable"
    exit_code = 2


class GuardRefused(XdmigrateError):
    """A safety guard stopped a mailbox or a command; `checksum` accepts exactly this finding."""

    code = "guard-refused"
    exit_code = 5
    reach = Reach.MAILBOX

    def __init__(
        self, message: str, *, checksum: str = "", remedy: str = "", endpoint: str = "", mailbox: str = ""
    ) -> None:
        if checksum and not remedy:
            remedy = f"if this is intended, run again with --accept-change {checksum}"
        super().__init__(message, remedy=remedy, endpoint=endpoint, mailbox=mailbox)
        self.checksum = checksum


# --- an endpoint as a whole -------------------------------------------------------------------------------------


class EndpointError(XdmigrateError):
    """An endpoint refused or was unreachable as a whole; work remains."""

    code = "endpoint-failed"
    exit_code = 4
    reach = Reach.ENDPOINT


class CertificateRejected(EndpointError):
    """The server's certificate does not prove the host that the plan names."""

    code = "certificate-rejected"


class ProtocolError(EndpointError):
    """The server sent what its protocol does not allow; the connection was dropped."""

    code = "protocol-error"
    retriable = True


class Retriable(EndpointError):
    """Trying again later may help; `delay` is what the server asked for, in seconds, or None for back-off."""

    code = "try-later"
    retriable = True

    def __init__(
        self, message: str, *, delay: float | None = None, remedy: str = "", endpoint: str = "", mailbox: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy, endpoint=endpoint, mailbox=mailbox)
        self.delay = delay


class Unreachable(Retriable):
    """No connection: name not found, refused, timed out."""

    code = "unreachable"


class ConnectionLost(Retriable):
    """An open connection ended; what was under way on it is unknown."""

    code = "connection-lost"


class Throttled(Retriable):
    """The server asks to slow down (NO [LIMIT], [UNAVAILABLE], 429, back-off in words)."""

    code = "throttled"


# --- one mailbox ------------------------------------------------------------------------------------------------


class MailboxError(XdmigrateError):
    """A mailbox needs attention; the others go on."""

    code = "mailbox-failed"
    exit_code = 3
    reach = Reach.MAILBOX


class LoginRejected(MailboxError):
    """The server rejected the login; it is not tried again until the secret changes."""

    code = "login-rejected"


class AccessDenied(MailboxError):
    """The account may not do what the migration needs (read-only target, no right to create)."""

    code = "access-denied"


class QuotaExceeded(MailboxError):
    """The target mailbox is full; nothing is failed for it, the mailbox stops."""

    code = "quota-exceeded"


class TooManyFailures(MailboxError):
    """More items failed than the plan's `failures.items_per_mailbox` allows."""

    code = "too-many-failures"


class SettleTimeout(MailboxError):
    """The target keeps changing after a crash, so unfinished writes cannot be told from new mail."""

    code = "settle-timeout"


class FolderUnusable(MailboxError):
    """A folder cannot be created, opened or read."""

    code = "folder-unusable"


# --- one item ---------------------------------------------------------------------------------------------------


class ItemRefused(XdmigrateError):
    """One item cannot be read or written; `reason` is its quarantine code, e.g. "too-big"."""

    code = "item-refused"
    exit_code = 3
    reach = Reach.ITEM

    def __init__(self, message: str, *, reason: str, remedy: str = "", endpoint: str = "", mailbox: str = "") -> None:
        super().__init__(message, remedy=remedy, endpoint=endpoint, mailbox=mailbox)
        self.reason = reason


# --- lifecycle --------------------------------------------------------------------------------------------------


class Stopped(XdmigrateError):
    """The run ended before its end, by wish or by need; the same command resumes it."""

    code = "stopped"
    exit_code = 6


class StateFull(Stopped):
    """The disk under the state is full; nothing was lost."""

    code = "state-full"


class LeaseLost(Stopped):
    """Another worker holds this target mailbox now; what this one knew is stale."""

    code = "lease-lost"
    reach = Reach.MAILBOX


class PlanHeld(XdmigrateError):
    """Another run holds this plan."""

    code = "plan-held"
    exit_code = 7


def exit_code(codes: list[int]) -> int:
    """The process's exit code: 1 and 2 always win, else the highest-numbered that applies; 0 when there is none."""
    for always in (1, 2):
        if always in codes:
            return always
    return max(codes, default=0)
