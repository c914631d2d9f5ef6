"""The log of a run: JSON lines in the state's `logs/PLAN/`, rotated, readable by their owner only, without secrets."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import traceback
from collections.abc import MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from xdmigrate.errors import StateUnusable, XdmigrateError

OCTETS_A_FILE = 10_000_000
FILES = 5
LOGGER = "xdmigrate"
HIDDEN = "[secret]"
SHORTEST = 4
"""Shorter secrets are hidden only where a value is nothing else: they stand in ordinary words."""


class Redactor:
    """A structlog processor that hides every registered secret, in values and in texts that quote it."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def add(self, secret: str) -> None:
        """Hide this from now on."""
        if secret:
            self._secrets.add(secret)

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            event[key] = self.hide(value)
        return event

    def hide(self, value: Any) -> Any:
        """The value without secrets, however deep they stand."""
        match value:
            case str():
                return self._hide_text(value)
            case dict():
                return {key: self.hide(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.hide(inner) for inner in value]
            case _:
                return value

    def _hide_text(self, text: str) -> str:
        if text in self._secrets:
            return HIDDEN
        for secret in self._secrets:
            if len(secret) >= SHORTEST:
                text = text.replace(secret, HIDDEN)
        return text


class _PrivateFile(RotatingFileHandler):
    """Rotated files with mode 0600 from their first byte. A full disk loses log lines, never the run."""

    def _open(self) -> Any:
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        """Say nothing: stderr belongs to the command."""

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take is tried once more, and lost
            super().close()


class _Connectors(logging.Handler):
    """What connectors say through the standard library, such as what they left out, becomes lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(f"{LOGGER}_"):
            structlog.get_logger().log(record.levelno, record.getMessage(), by=record.name)


class LogFile:
    """The open log of this process. `path` is told to people, `redactor` takes the secrets as they are resolved."""

    def __init__(self, directory: Path, name: str, *, verbose: bool) -> None:
        self.path = directory / f"{name}.log"
        self.redactor = Redactor()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handler = _PrivateFile(self.path, maxBytes=OCTETS_A_FILE, backupCount=FILES, encoding="utf-8")
        except OSError as error:
            raise StateUnusable(
                f"state: cannot write {self.path} ({error.strerror})", remedy="check the path"
            ) from error
        logger = logging.getLogger(LOGGER)
        logger.addHandler(self._handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        self._connectors = _Connectors(logging.WARNING)
        logging.getLogger().addHandler(self._connectors)
        _configure(self.redactor, logging.DEBUG if verbose else logging.INFO)

    def close(self) -> None:
        """Write what is buffered; may be called twice."""
        logging.getLogger(LOGGER).removeHandler(self._handler)
        logging.getLogger().removeHandler(self._connectors)
        self._handler.close()


def _configure(redactor: Redactor, level: int) -> None:
    logging.getLogger().addHandler(logging.NullHandler())  # libraries' own warnings never reach stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_name: logging.getLogger(LOGGER),
        cache_logger_on_first_use=False,
    )


def quiet() -> None:
    """Nothing is logged: for a process that keeps no log of its own."""
    logging.getLogger().addHandler(logging.NullHandler())
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    raise structlog.DropEvent


def internal_error(error: Exception, log: LogFile | None) -> XdmigrateError:
    """One line for people; the traceback goes into the log, or into a file of its own where there is none."""
    kind = type(error).__name__
    if log is not None:
        structlog.get_logger("xdmigrate.run").error("internal-error", exc_info=error)
        return _told(kind, log.path)
    name = os.devnull
    with contextlib.suppress(OSError):  # a full disk may be what happened
        descriptor, name = tempfile.mkstemp(prefix="xdmigrate-", suffix=".log")  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(traceback.format_exception(error))
    return _told(kind, Path(name))


def _told(kind: str, path: Path) -> XdmigrateError:
    return XdmigrateError(f"internal error: {kind}; the details are in {path}", remedy="please report it")
