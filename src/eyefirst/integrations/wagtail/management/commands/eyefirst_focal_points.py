"""`manage.py eyefirst_focal_points`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from wagtail.images import get_image_model

from eyefirst.errors import known_error
from eyefirst.integrations.wagtail.focal_points import MISSING, find_focal_point, store_focal_point


class Command(BaseCommand):
    """One line a picture; a bad one is a line too. What is stored stays when the command is stopped."""

    help = "Fills missing focal points of pictures with where people look. A second run goes on where one stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--all", action="store_true", help="Replace focal points that were set, too.")
        parser.add_argument("--dry-run", action="store_true", help="Find and print, but store nothing.")

    def handle(self, *_: Any, all: bool, dry_run: bool, verbosity: int, **__: Any) -> None:
        """Raises CommandError at the end where a picture failed, so that the command ends with 1."""
        model = get_image_model()
        found = model._default_manager.order_by("pk")
        keys = list((found if all else found.filter(MISSING)).values_list("pk", flat=True))
        counts: Counter[str] = Counter()
        for number, key in enumerate(keys, 1):
            image = model._default_manager.filter(pk=key).first()
            if image is None:  # deleted meanwhile
                continue
            status, words = self._treat(image, replace=all, dry_run=dry_run)
            counts[status] += 1
            line = f"{number}/{len(keys)} {status} {key} {str(image)!r}: {words}"
            if status == "failed":
                self.stderr.write(self.style.ERROR(line))
            elif verbosity:
                self.stdout.write(line)
        if verbosity:
            self.stdout.write(", ".join(f"{count} {status}" for status, count in counts.items()) or "nothing to do")
        if counts["failed"]:
            raise CommandError(f"{counts['failed']} of {len(keys)} pictures failed")

    def _treat(self, image: Any, *, replace: bool, dry_run: bool) -> tuple[str, str]:
        """What became of one picture, and words about it."""
        if image.is_svg():
            return "left out", "a drawing, not a photo"
        try:
            area = find_focal_point(image)
            words = f"{area.centroid_x:.0f},{area.centroid_y:.0f} ({area.width:.0f}x{area.height:.0f})"
            if dry_run:
                return "found", words
            if store_focal_point(image, area, replace=replace):
                return "filled", words
        except Exception as error:  # a bad file is a line, whatever is wrong with it
            return "failed", str(known_error(error))
        return "kept", "somebody set one meanwhile"
