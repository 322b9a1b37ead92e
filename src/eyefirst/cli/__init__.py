"""The command `eyefirst`: parse, call one tool, print.

Each command has a file of its own and imports what it needs when it runs, so that `--help` is quick.
Data goes to standard output, words go to standard error.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from eyefirst import __version__
from eyefirst.cli.best import find_best
from eyefirst.cli.camera import guide_camera
from eyefirst.cli.crop import crop_pictures
from eyefirst.cli.cutout import cut_out_subjects
from eyefirst.cli.doctor import examine
from eyefirst.cli.enhance import enhance_pictures
from eyefirst.cli.faces import find_faces
from eyefirst.cli.guard import EXIT_CODES
from eyefirst.cli.heatmap import draw_heat_maps
from eyefirst.cli.models import list_models
from eyefirst.cli.objects import find_objects
from eyefirst.cli.pan import pan_album
from eyefirst.cli.plan import plan_pictures
from eyefirst.cli.reframe import reframe_films
from eyefirst.cli.render import render_plans
from eyefirst.cli.report import report_pictures
from eyefirst.cli.serve import serve_pictures
from eyefirst.cli.shots import rank_shots_of
from eyefirst.cli.sidecar import write_sidecars
from eyefirst.cli.sign import sign_addresses
from eyefirst.cli.srcset import print_responsive_image
from eyefirst.cli.text import read_text
from eyefirst.cli.thumbnails import thumbnail_pictures
from eyefirst.cli.watch import watch_stream


class Command(TyperCommand):
    """A command that refuses an option that takes one value and is given twice: one value would have no effect."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Do as Typer does, after a look at what is given."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter[Any](given).items():
            if times > 1 and not getattr(option, "multiple", True) and not getattr(option, "is_flag", True):
                raise typer.BadParameter("it takes one value, and is given twice", ctx=ctx, param=option)
        return super().parse_args(ctx, args)


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eyefirst {__version__}")
        raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def eyefirst(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Find where the eye goes first, and crop to any shape while keeping it.

    \b
    Examples:
      eyefirst crop photo.jpg --ratio 16:9 -o wide.jpg
      eyefirst objects photo.jpg
      eyefirst doctor
    """


for _name, _command in (
    ("crop", crop_pictures),
    ("thumbnails", thumbnail_pictures),
    ("plan", plan_pictures),
    ("heatmap", draw_heat_maps),
    ("objects", find_objects),
    ("faces", find_faces),
    ("text", read_text),
    ("camera", guide_camera),
    ("enhance", enhance_pictures),
    ("cutout", cut_out_subjects),
    ("pan", pan_album),
    ("reframe", reframe_films),
    ("watch", watch_stream),
    ("shots", rank_shots_of),
    ("render", render_plans),
    ("best", find_best),
    ("report", report_pictures),
    ("sidecar", write_sidecars),
    ("serve", serve_pictures),
    ("sign", sign_addresses),
    ("srcset", print_responsive_image),
    ("models", list_models),
    ("doctor", examine),
):
    app.command(_name, cls=Command, epilog=EXIT_CODES)(_command)


def main() -> None:
    """The entry point."""
    app(prog_name="eyefirst")
