"""`eyefirst serve`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from eyefirst.cli.guard import guarded, say
from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.numeric import is_number

API_KEY, SIGNING_KEY = "EYEFIRST_API_KEY", "EYEFIRST_SIGNING_KEY"


@guarded
def serve_pictures(
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Beyond this machine, a key is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes any that is free.")] = 8000,
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Host name that the service answers to, without port. Repeat for more."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the pictures that /v1/image may cut.")
    ] = None,
    store: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Pictures in a store that fsspec knows, in place of --root: s3://bucket/pictures."
        ),
    ] = "",
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Site that /v1/image may fetch pictures from: https://HOST. Repeat for more."),
    ] = None,
    private_origins: Annotated[
        bool, typer.Option("--private-origins", help="Allow an --origin inside a private network.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=0, help="Threads that work, in each process; 0 shares out the processors.")
    ] = 0,
    queue: Annotated[int, typer.Option(min=0, help="Largest number of requests that wait for a thread.")] = 16,
    processes: Annotated[
        int, typer.Option(min=1, help="Number of processes. If one dies, another takes its place.")
    ] = 1,
    body_mb: Annotated[float, typer.Option(min=0.001, help="Largest body of a request, in MiB.")] = 32,
    megapixels: Annotated[float, typer.Option(min=0.001, help="Largest picture, in millions of pixels.")] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, help="Longest time for one request, in seconds.")] = 20,
    uploads: Annotated[
        int, typer.Option(min=1, help="Largest number of bodies that arrive at a time. The slowest gives way.")
    ] = 64,
    body_seconds: Annotated[float, typer.Option(min=0.1, help="Longest time for a body to arrive, in seconds.")] = 30,
    longest: Annotated[
        int, typer.Option(min=1, help="Longest side of a picture at an address without a size, in pixels.")
    ] = 2560,
    max_age: Annotated[int, typer.Option(min=0, help="Time that caches may keep a picture, in seconds.")] = 86_400,
    stale: Annotated[
        int, typer.Option(min=0, help="Time that caches may show an old picture while they ask anew, in seconds.")
    ] = 86_400,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=OPTIONS",
            help="Name for options of addresses, such as card=ratio:16:9,w:640. Repeat for more.",
        ),
    ] = None,
    only_presets: Annotated[
        bool,
        typer.Option("--only-presets", help="Refuse addresses that hold other options than preset, dpr and expires."),
    ] = False,
    fallback: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Picture to show at an address whose own picture is missing or damaged."),
    ] = None,
    watermark: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Picture to draw on results, at addresses with the option watermark."),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Site whose pages may use the service, or '*'. Repeat for more."),
    ] = None,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Write every request to stderr as a line of JSON.")
    ] = False,
    sent_mb: Annotated[
        float,
        typer.Option(min=0, help="Memory for pictures that were sent, so that they need not be sent again, in MiB."),
    ] = 64,
    result_cache: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to keep results and plans in. Name one for this service alone."),
    ] = None,
    result_cache_mb: Annotated[
        float,
        typer.Option(
            min=1, help="Largest size of the --result-cache folder, in MiB. The files that were used least lately go."
        ),
    ] = 1024,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Another service whose addresses are answered too: thumbor or imgproxy. Repeat for both.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"File of API keys, one a line. Or set {API_KEY}.")
    ] = None,
    signing_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"File of signing keys, one a line, the newest first. Or set {SIGNING_KEY}."),
    ] = None,
) -> None:
    """Serve saliency, plans and crops over HTTP, with a page to try it in a browser.

    \b
    Examples:
      eyefirst serve
      eyefirst serve --root pictures --port 9000
      EYEFIRST_API_KEY=... eyefirst serve --host 0.0.0.0
    """
    if any(
        find_spec(name) is None for name in ("fastapi", "httptools", "prometheus_client", "python_multipart", "uvicorn")
    ):
        raise MissingExtraError.for_extra("server", "eyefirst serve")
    from eyefirst.server.run import listen, serve
    from eyefirst.server.settings import Settings, share_of_processors

    settings = Settings(
        host=host,
        port=port,
        hostnames=tuple(hostname or ()),
        workers=workers or share_of_processors(processes),
        queue=queue,
        processes=processes,
        body_bytes=_whole(body_mb, 1 << 20),
        buffered_bytes=max(256 << 20, _whole(2 * body_mb, 1 << 20)),
        pixels=_whole(megapixels, 1_000_000),
        work_seconds=seconds,
        api_keys=keys_of(api_key_file, API_KEY),
        signing_keys=keys_of(signing_key_file, SIGNING_KEY),
        root=root,
        store=store,
        origins=tuple(origin or ()),
        private_origins=private_origins,
        uploads=uploads,
        body_seconds=body_seconds,
        longest=longest,
        max_age_seconds=max_age,
        stale_seconds=stale,
        presets=_presets(preset or ()),
        only_presets=only_presets,
        fallback=fallback,
        cors=tuple(cors or ()),
        access_log=access_log,
        sent_bytes=_whole(sent_mb, 1 << 20),
        watermark=watermark,
        result_cache=result_cache,
        also=tuple(name.strip() for names in also or () for name in names.split(",") if name.strip()),
        thumbor_keys=keys_of(None, "THUMBOR_SECURITY_KEY"),
        imgproxy_keys=_imgproxy_keys(),
        result_cache_bytes=_whole(result_cache_mb, 1 << 20),
    )

    def renewed() -> Settings:
        api, signing = keys_of(api_key_file, API_KEY), keys_of(signing_key_file, SIGNING_KEY)
        return replace(settings, api_keys=api, signing_keys=signing)

    if watermark:  # so that a file that cannot be used is said here, once
        from eyefirst.server.watermark import Watermark

        Watermark(watermark)
    if store:
        from eyefirst.server.stores import Store

        Store(store, settings.body_bytes)
    with listen(settings) as bound:
        name = f"[{host}]" if ":" in host else host
        say(f"serves at http://{name}:{bound.getsockname()[1]}/ until Ctrl-C")
        serve(settings, bound, renewed)


def _whole(value: float, unit: int) -> int:
    """So many units. Raises InvalidValueError: the command line takes "inf" for a number."""
    if not is_number(value):
        raise InvalidValueError(f"expected a limit as a number, got {value}", remedy="give a large one for no limit")
    return int(value * unit)


def _presets(texts: Sequence[str]) -> dict[str, str]:
    """Names and options of presets. Raises InvalidValueError for options that no address may carry."""
    from eyefirst.server.addresses import ImageOptions, preset_text

    found = {}
    for text in texts:
        name, equals, options = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) or name in found:
            raise InvalidValueError(
                f"expected a preset as NAME=OPTIONS, each name once; got {text!r}",
                remedy="for example card=ratio:16:9,w:640",
            )
        ImageOptions.parse(preset_text(options))
        found[name] = options
    return found


def _imgproxy_keys() -> tuple[tuple[bytes, bytes], ...]:
    """Key and salt from the environment, where imgproxy reads them, each in hexadecimal digits."""
    key, salt = (os.environ.get(name, "").strip() for name in ("IMGPROXY_KEY", "IMGPROXY_SALT"))
    try:
        return ((bytes.fromhex(key), bytes.fromhex(salt)),) if key and salt else ()
    except ValueError:
        raise InvalidValueError(
            "IMGPROXY_KEY or IMGPROXY_SALT is not in hexadecimal digits", remedy="take over those of imgproxy"
        ) from None


def keys_of(file: Path | None, variable: str) -> tuple[str, ...]:
    """Keys from a file, one a line; else the one in the environment. A command line could be seen by others."""
    if file is None:
        key = os.environ.get(variable, "").strip()
        return (key,) if key else ()
    try:
        lines = file.read_text("utf-8-sig").split()  # an editor may have put a mark before the first key
    except (OSError, ValueError) as error:
        raise InvalidValueError(
            f"cannot read keys: {getattr(error, 'strerror', None) or 'is not a text'}",
            remedy="name a file of keys, one a line",
            source=str(file),
        ) from None
    if not lines:
        raise InvalidValueError("holds no key", remedy="write one key a line", source=str(file))
    return tuple(lines)
