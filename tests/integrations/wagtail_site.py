"""A small real Wagtail site: its own database and files, migrated, with pictures that are uploaded.

    python -m tests.integrations.wagtail_site FOLDER

Prints what was seen on the way as JSON. In a process of its own, since Django's settings belong to a whole process.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from PIL import Image as PillowImage
from skimage import data

APPS = [
    "eyefirst.integrations.wagtail",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]


def start(folder: Path) -> None:
    settings.configure(
        INSTALLED_APPS=APPS,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite")}},
        MEDIA_ROOT=str(folder / "media"),
        SECRET_KEY="a-key-for-the-tests",
        WAGTAIL_SITE_NAME="test",
        WAGTAILADMIN_BASE_URL="http://127.0.0.1",
        STATIC_URL="/static/",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    call_command("migrate", verbosity=0)


def wall(left: int, top: int) -> PillowImage.Image:
    """A face somewhere on a plain wall, 1200 x 900."""
    picture = PillowImage.new("RGB", (1200, 900), "#b9b4aa")
    picture.paste(PillowImage.fromarray(data.astronaut()[0:300, 80:380]), (left, top))
    return picture


def upload(title: str, picture: PillowImage.Image | bytes, name: str, **options: Any) -> Any:
    from wagtail.images.models import Image

    if isinstance(picture, PillowImage.Image):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=92, **options)
        picture = out.getvalue()
    return Image.objects.create(title=title, file=ContentFile(picture, name=name))


def command(*words: str, **options: Any) -> dict[str, Any]:
    """What `manage.py eyefirst_focal_points` says, and whether it failed."""
    out, err, failed = io.StringIO(), io.StringIO(), ""
    try:
        call_command("eyefirst_focal_points", *words, stdout=out, stderr=err, **options)
    except CommandError as error:
        failed = str(error)
    return {"out": out.getvalue().splitlines(), "err": err.getvalue().splitlines(), "failed": failed}


def points() -> dict[str, Any]:
    from wagtail.images.models import Image

    names = ("focal_point_x", "focal_point_y", "focal_point_width", "focal_point_height")
    return {image.title: [getattr(image, name) for name in names] for image in Image.objects.all()}


def main(folder: Path) -> dict[str, Any]:
    start(folder)
    seen: dict[str, Any] = {}
    right = upload("right", wall(880, 590), "right.jpg")
    exif = PillowImage.Exif()
    exif[274] = 6  # as phones write it: the stored picture lies on its side
    turned = upload("turned", wall(20, 20).transpose(PillowImage.Transpose.ROTATE_90), "turned.jpg", exif=exif)
    set_by_hand = upload("by hand", wall(880, 20), "hand.jpg")
    set_by_hand.focal_point_x = set_by_hand.focal_point_y = 300
    set_by_hand.focal_point_width = set_by_hand.focal_point_height = 50
    set_by_hand.save()
    broken, gone = upload("broken", wall(0, 0), "broken.jpg"), upload("gone", wall(0, 0), "gone.jpg")
    Path(broken.file.path).write_bytes(Path(broken.file.path).read_bytes()[:600])
    Path(gone.file.path).unlink()
    upload("drawing", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "drawing.svg")

    plain = right.get_rendition("fill-300x900").file.read()
    (folder / "plain.jpg").write_bytes(plain)
    seen["dry"], seen["after dry"] = command("--dry-run"), points()
    seen["filled"], seen["after"] = command(), points()
    for image in (right, turned):
        image.refresh_from_db()
        for spec in ("fill-300x900", "fill-900x300", "fill-200x200-c100"):
            (folder / f"{image.title}_{spec}.jpg").write_bytes(image.get_rendition(spec).file.read())
    broken.delete()
    gone.delete()
    seen["again"] = command()
    seen["quiet"] = command(verbosity=0)
    seen["all"], seen["after all"] = command("--all"), points()

    upload("before", wall(40, 500), "before.jpg")
    settings.EYEFIRST_ON_UPLOAD = True
    upload("uploaded", wall(40, 500), "uploaded.jpg")
    chosen = wall(40, 500)
    out = io.BytesIO()
    chosen.save(out, "JPEG")
    from wagtail.images.models import Image

    Image.objects.create(
        title="chosen",
        file=ContentFile(out.getvalue(), name="chosen.jpg"),
        **{f"focal_point_{name}": 77 for name in ("x", "y", "width", "height")},
    )
    upload("drawing 2", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "drawing.svg")
    seen["uploads"] = points()
    seen["race"] = race(upload("race", wall(0, 0), "race.jpg"))
    replaced = upload("replaced", wall(40, 500), "first.jpg")
    by_editor = upload("replaced by hand", wall(40, 500), "third.jpg")
    Image.objects.filter(pk=by_editor.pk).update(focal_point_x=300, focal_point_y=301)
    for image in (replaced, by_editor):
        image.refresh_from_db()
        out = io.BytesIO()
        wall(880, 20).save(out, "JPEG", quality=92)
        image.file = ContentFile(out.getvalue(), name="second.jpg")
        image.save()
    seen["replaced"] = points()
    return seen


def race(image: Any) -> Any:
    """An editor sets a point after the picture was listed as missing one, and before ours is stored."""
    from eyefirst.integrations.wagtail.focal_points import find_focal_point, store_focal_point

    area = find_focal_point(image)
    type(image).objects.filter(pk=image.pk).update(**{f"focal_point_{n}": 5 for n in ("x", "y", "width", "height")})
    return [store_focal_point(image, area), points()["race"]]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
