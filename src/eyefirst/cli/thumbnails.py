"""`eyefirst thumbnails`."""

from __future__ import annotations

from typing import Annotated

import typer

from eyefirst.cli.guard import FAILED, guarded, refuse, say
from eyefirst.cli.options import (
    AsJsonLines,
    AsTable,
    Avoid,
    FitChoice,
    FitOption,
    MetadataChoice,
    MetadataOption,
    MustKeep,
    Name,
    Overwrite,
    Pad,
    PortraitOption,
    PreferOption,
    Ratios,
    Revision,
    Sources,
    ThumbnailQuality,
    Tightness,
    Workers,
)
from eyefirst.errors import InvalidValueError


@guarded
def thumbnail_pictures(
    sources: Sources,
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the thumbnails.")],
    size: Annotated[
        list[str] | None,
        typer.Option("--size", "-s", metavar="WxH", help="Exact size of a thumbnail. Repeat for more sizes."),
    ] = None,
    ratios: Ratios = None,
    width: Annotated[
        list[int] | None,
        typer.Option("--width", "-w", min=1, help="Width for each --ratio, in pixels. Repeat for more widths."),
    ] = None,
    format: Annotated[str, typer.Option(metavar="EXT", help="jpg, png, webp, avif, gif, tif or bmp.")] = "jpg",
    quality: ThumbnailQuality = None,
    workers: Workers = 0,
    tightness: Tightness = 0.0,
    must_keep: MustKeep = None,
    avoid: Avoid = None,
    pad: Pad = "",
    prefer: PreferOption = None,
    portrait: PortraitOption = None,
    fit: FitOption = FitChoice.BREATHE,
    product: Annotated[
        bool, typer.Option("--product", help="Catalogue picture: the product centred on a canvas, with equal margins.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(min=0, max=0.45, help="With --product: least margin, as a share of the shorter side. [0.08]"),
    ] = None,
    backdrop: Annotated[
        str,
        typer.Option(
            metavar="COLOUR", help="With --product: keep (the picture's own), transparent, or a colour. [keep]"
        ),
    ] = "",
    shadow: Annotated[
        bool, typer.Option("--shadow", help="With --backdrop: keep a soft shadow of the product.")
    ] = False,
    name: Name = "",
    metadata: MetadataOption = MetadataChoice.COPYRIGHT,
    overwrite: Overwrite = False,
    manifest: Annotated[
        str, typer.Option(metavar="FILE.json", help="File that lists all thumbnails, with srcset lines for HTML.")
    ] = "",
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove thumbnails of pictures that are gone, and of earlier options.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: make whatever comes into the folders as well, until Ctrl-C.")
    ] = False,
    revision: Revision = "",
    jsonl: AsJsonLines = False,
    csv: AsTable = False,
) -> None:
    """Make thumbnails of many pictures, in parallel. A second run does only what is missing or changed.

    \b
    Examples:
      eyefirst thumbnails album -o thumbs --size 320x320 --size 1200x630 --format webp
      eyefirst thumbnails album -o site -a 1:1 -a 16:9 -w 320 -w 640 --manifest site/manifest.json
      eyefirst thumbnails album -o shop --size 800x800 --product --margin 0.1
      find /photos -name '*.jpg' | eyefirst thumbnails - -o thumbs -s 320x320 --jsonl
    """
    from eyefirst.albums.catalogue import MARGIN, ProductSettings
    from eyefirst.albums.manifest import write_manifest
    from eyefirst.albums.prune import prune_results
    from eyefirst.albums.thumbnails import DEFAULT_NAME, ThumbnailSettings, make_thumbnails, sizes_of
    from eyefirst.albums.watch import watched
    from eyefirst.cli.batch import album_tasks, away_sources, show_rows
    from eyefirst.files.formats import THUMBNAIL_QUALITY, check_metadata, check_quality, format_named
    from eyefirst.files.outputs import names_a_file
    from eyefirst.geometry import AspectRatio
    from eyefirst.tools.planning import options_of

    written = format_named(format)
    check_quality(written, quality)
    check_metadata(written, metadata.value)
    if names_a_file(out):
        raise InvalidValueError(
            "thumbnails are written into a folder",
            remedy="name a folder, and add --format for the format; for a folder of that name add / at its end",
            source=out,
        )
    if product:
        framing: dict[str, object] = {
            "--tightness": tightness,
            "--pad": pad,
            "--prefer": prefer,
            "--portrait": portrait,
        }
        framing |= {"--must-keep": must_keep, "--avoid": avoid, "--fit": fit is not FitChoice.BREATHE}
        refuse("--product lays out the whole product", framing)
        if backdrop == "transparent" and not written.has_alpha:
            raise InvalidValueError(f"{format} holds no transparency", remedy="add --format png or --format webp")
    else:
        refuse(
            "without --product a frame is cut",
            {"--margin": margin is not None, "--backdrop": backdrop, "--shadow": shadow},
            remedy="add --product for catalogue pictures, or leave them out",
        )
    if not backdrop or backdrop == "keep":
        refuse("a shadow stays with its backdrop", {"--shadow": shadow}, remedy="add --backdrop, or leave it out")
    if csv:
        refuse("one kind of rows is printed", {"--jsonl": jsonl})
    if watch:
        refuse("--watch does not end", {"--manifest": manifest, "--prune": prune})
    options, detectors = options_of(
        must_keep=must_keep or (),
        avoid=avoid or (),
        tightness=tightness,
        pad=pad or None,
        prefer=prefer.value if prefer else None,
        portrait=portrait.value if portrait else None,
        fit=fit.value,
    )
    settings = ThumbnailSettings(
        sizes=sizes_of(size or (), ratios or (), width or ()),
        format=format,
        quality=THUMBNAIL_QUALITY if quality is None else quality,
        options=options,
        detectors=detectors,
        product=ProductSettings(margin=MARGIN if margin is None else margin, backdrop=backdrop or "keep", shadow=shadow)
        if product
        else None,
        metadata=metadata.value,
        revision=revision or None,
        ratios=tuple(AspectRatio.parse(r) for r in ratios or ()),
        name=name or DEFAULT_NAME,
    )
    if watch:
        for batch, tasks in enumerate(watched(sources, outside=out, say=say)):
            rows = make_thumbnails(tasks, out, settings, workers=workers or None, overwrite=overwrite)
            show_rows(rows, len(tasks), "new", jsonl=jsonl, csv=csv, framed=not product, header=batch == 0)
        return
    tasks = album_tasks(sources, outside=out)
    rows = make_thumbnails(tasks, out, settings, workers=workers or None, overwrite=overwrite)
    away = away_sources(sources) if manifest else []
    for source in away:
        say(f"{source}: is missing or empty, so {manifest} is left as it is")
    listed = write_manifest(rows, "" if away else manifest, settings)
    counts = show_rows(listed, len(tasks), "thumbnails", jsonl=jsonl, csv=csv, framed=not product)
    if prune:
        say(f"{len(prune_results(out, sources))} removed, of pictures that are gone or of earlier options")
    if counts["failed"] or not tasks:
        raise typer.Exit(FAILED)
