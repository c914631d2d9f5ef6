"""The pymap side of the embedded server: imported only once pymap is known to be installed.

Its dict backend keeps every byte of a message with CRLF line ends. What it alters: a bare LF or CR becomes CRLF, a
message without an empty line after its header loses its last byte, the date's zone becomes UTC; an empty message is
refused.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, DictBackend, Identity, Login
from pymap.imap import IMAPServer
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext

HOST = "127.0.0.1"


class LoopbackConfig(Config):
    """The dict backend without TLS, name lookups and slow password hashes: it only ever listens on loopback."""

    def __init__(self) -> None:
        args = Namespace(passlib_cfg=None, proxy_protocol=None)
        super().__init__(
            args,
            demo_data=False,
            demo_user="",
            demo_password="",
            host=HOST,
            port=0,
            tls_enabled=False,
            hash_context=Cleartext(),
        )

    @property
    def greeting(self) -> bytes:
        """A greeting that does not ask the resolver for this machine's name."""
        return b"Embedded server ready"


async def listen(users: Mapping[str, str], stack: AsyncExitStack) -> int:
    """Serve these users (name to password) until the stack closes; returns the port."""
    config = LoopbackConfig()
    config.apply_context()
    backend = DictBackend(Login(config), config)
    for name, password in users.items():
        await add_user(backend, name, password)
    server = await asyncio.start_server(_handler(IMAPServer(backend.login, config)), HOST, 0)
    stack.callback(server.close)
    port: int = server.sockets[0].getsockname()[1]
    return port


def _handler(serve: IMAPServer) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    """What pymap's own service does for a connection, but keeping hold of the task.

    The event loop refers to tasks weakly, and pymap starts them without keeping them: the garbage collector then ends
    connections that are waiting for a command.
    """
    held: set[object] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        held.add(task)
        try:
            await serve(reader, writer, SocketInfo.get(writer, None, unique_id=uuid4().bytes))
        finally:
            held.discard(task)

    return handle


async def add_user(backend: DictBackend, name: str, password: str) -> None:
    """Create the account, or change its password."""
    user = UserMetadata(backend.config, name, password=password)
    await Identity(name, backend.login, None, frozenset()).set(user)
