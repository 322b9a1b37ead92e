"""Sockets and processes: one service until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from eyefirst.errors import InvalidValueError
from eyefirst.server.app import create_app
from eyefirst.server.metrics import FOLDER
from eyefirst.server.protocol import GuardedProtocol
from eyefirst.server.settings import Settings

CONNECTIONS = 1000
KEEP_ALIVE_SECONDS = 5
SHUTDOWN_SECONDS = 10
STARTUP_SECONDS = 30
"""Time for a process to say that it lives. On a busy machine, imports alone took 9 s; uvicorn's 5 s ended it before."""
BACKLOG = 2048
"""Connections that the system holds until they are taken."""


def listen(settings: Settings) -> socket.socket:
    """The socket of a service, which holds its address. Raises InvalidValueError where it cannot be had."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: asyncio sets TCP_NODELAY only then, without which every answer waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, settings.port))
        if _is_dealt_out(settings):  # only now: an address that another service has is refused above
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        else:
            bound.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        bound.close()
        raise InvalidValueError(
            f"cannot listen on {settings.host} port {settings.port}: {getattr(error, 'strerror', None) or error}",
            remedy="choose another --port or --host",
        ) from error
    bound.set_inheritable(True)
    return bound


def _is_dealt_out(settings: Settings) -> bool:
    """Whether each process listens by itself."""
    return settings.processes > 1 and sys.platform == "linux"


def config_of(settings: Settings) -> uvicorn.Config:
    """How uvicorn runs the service."""
    return uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        workers=settings.processes,
        http=GuardedProtocol,
        loop="eyefirst.server.run:SharingLoop" if _is_dealt_out(settings) else "asyncio",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_worker_healthcheck=STARTUP_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        backlog=BACKLOG,
    )


class SharingLoop(asyncio.SelectorEventLoop):
    """The event loop of one process of several: it listens at a socket of its own, on the address that all share.

    Linux then deals connections out. At one socket for all, whoever wakes first takes every connection that waits,
    and serves them while the others idle.
    """

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], *, sock: socket.socket, **options: Any
    ) -> asyncio.Server:
        """asyncio's, at a twin of the socket."""
        twin = socket.socket(sock.family, sock.type, sock.proto)
        try:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            twin.bind(sock.getsockname())
            return await super().create_server(protocol_factory, sock=twin, **options)
        except BaseException:
            twin.close()
            raise


def serve(settings: Settings, bound: socket.socket) -> None:
    """Serves until a signal; with several processes, one that dies is replaced."""
    if settings.processes == 1:
        uvicorn.Server(config_of(settings)).run(sockets=[bound])
        return
    with tempfile.TemporaryDirectory(prefix="eyefirst-metrics-") as folder:
        os.environ[FOLDER] = folder
        Multiprocess(config_of(settings), sockets=[bound]).run()
