"""Sockets and processes: one service until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from eyefirst.errors import EyefirstError, InvalidValueError, reason_of
from eyefirst.server.metrics import FOLDER
from eyefirst.server.protocol import GuardedProtocol, drain
from eyefirst.server.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

LOG = logging.getLogger("uvicorn.error")
CONNECTIONS = 1000
KEEP_ALIVE_SECONDS = 5
SHUTDOWN_SECONDS = 5
"""Time for a service that ends to finish what it is at, beyond the time that a request may take."""
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
            f"cannot listen on {settings.host} port {settings.port}: {reason_of(error)}",
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
        partial(_app, settings),
        factory=True,
        workers=settings.processes,
        http=GuardedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_worker_healthcheck=STARTUP_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.work_seconds) + SHUTDOWN_SECONDS,
        backlog=BACKLOG,
    )


def _app(settings: Settings) -> FastAPI:
    from eyefirst.server.app import create_app  # noqa: PLC0415 - only in the processes that serve: it takes its time

    return create_app(settings)


def serve(settings: Settings, bound: socket.socket, renewed: Callable[[], Settings] | None = None) -> None:
    """Serve until a signal. A process that dies is replaced; SIGHUP replaces all without a lost request.

    bound: from `listen`. renewed: gives the settings that hold after a SIGHUP, such as keys read anew.
    """
    if settings.processes == 1 and not hasattr(signal, "SIGHUP"):
        uvicorn.Server(config_of(settings)).run(sockets=[bound])
        return
    with tempfile.TemporaryDirectory(prefix="eyefirst-metrics-") as folder:
        os.environ[FOLDER] = folder
        Supervisor(settings, bound, renewed or (lambda: settings)).run()


class Supervisor(Multiprocess):
    """Processes that serve. Each listens at a socket that outlives it, so that its successor answers who waits there.

    SIGHUP: one after the other, a successor starts, and the process ends what it is at. SIGTERM and SIGINT: all
    end what they are at. Its methods are those of uvicorn.
    """

    def __init__(self, settings: Settings, bound: socket.socket, renewed: Callable[[], Settings]) -> None:
        super().__init__(config_of(settings), [])
        self._is_dealt_out, self._bound, self._renewed = _is_dealt_out(settings), bound, renewed
        self._places = [self._place() for _ in range(settings.processes)]

    def run(self) -> None:
        """Serve until a signal."""
        self.init_processes()
        while not self.should_exit.is_set():
            dead = wait([p.process.sentinel for p in self.processes], timeout=0.5)  # wakes at once where one dies
            for process in self.processes:
                if process.process.sentinel in dead:  # its files are closed a moment before it has ended
                    process.process.join(1)
            self.handle_signals()
            self.keep_subprocess_alive()
        for place in self._places:  # now each process's own copy decides how long it is connected to
            place.close()
        self.terminate_all()
        self.join_all()

    def init_processes(self) -> None:
        """Start the processes."""
        self.processes = [self._started(place) for place in self._places]

    def restart_all(self) -> None:
        """Replace every process, each once its successor is ready."""
        try:
            self.config = config_of(self._renewed())
        except EyefirstError as error:
            LOG.error("the former settings stay in force: %s", error)
        for i, old in enumerate(self.processes):
            new = self._started(self._places[i])
            if not new.wait_until_ready(STARTUP_SECONDS, self.should_exit):
                new.kill()
                new.join()
                LOG.error("a new process was not ready in time; the former ones stay")
                return
            self.processes[i] = new
            old.terminate()
            old.join()

    def keep_subprocess_alive(self) -> None:
        """Replace processes that died or hang."""
        for i, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive(timeout=STARTUP_SECONDS):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                LOG.error("a process could not start")
                self.should_exit.set()
                return
            if self._is_dealt_out:  # or the system would go on to deal connections to it
                self._places[i].close()
                self._places[i] = self._place()
            self.processes[i] = self._started(self._places[i])

    handle_ttin = handle_ttou = None  # type: ignore[assignment]  # the number of processes is what was asked for

    def _place(self) -> socket.socket:
        """The socket of one process. It listens only once that process is ready."""
        if not self._is_dealt_out:
            return self._bound
        twin = socket.socket(self._bound.family, self._bound.type, self._bound.proto)
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        twin.bind(self._bound.getsockname())
        return twin

    def _started(self, place: socket.socket) -> Process:
        process = _Process(self.config, [place])
        process.start()
        return process


class _Process(Process):
    """A process whose server drains."""

    @property
    def server(self) -> uvicorn.Server:
        """The server, made in the process itself."""
        if self._server is None:
            self._server = _Server(self.config)
        return self._server


class _Server(uvicorn.Server):
    """uvicorn's server. When it ends, clients that have a connection may ask once more, and are told to go."""

    async def on_tick(self, counter: int) -> bool:
        """Say whether it is time to end: also where the process that started this one is gone."""
        parent = multiprocessing.parent_process()
        return await super().on_tick(counter) or (parent is not None and not parent.is_alive())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what runs, and say so in answers. Connections that wait to be taken are answered too."""
        drain(self.server_state)
        waiting = [line for one in sockets or () for line in _taken(one)]
        for server in self.servers:
            server.close()
        for one in sockets or ():
            one.close()
        loop, make = asyncio.get_running_loop(), self.config.http_protocol_class
        for line in waiting:
            protocol = make(self.config, self.server_state, self.lifespan.state)  # type: ignore[call-arg]
            await loop.connect_accepted_socket(lambda made=protocol: made, line)  # type: ignore[misc]
        await super().shutdown(sockets)


def _taken(listening: socket.socket) -> Iterator[socket.socket]:
    """Connections that wait at a socket that does not block."""
    with contextlib.suppress(OSError):
        while True:
            line, _ = listening.accept()
            line.setblocking(False)
            yield line
