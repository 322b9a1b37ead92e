"""Django: a photo is planned when it is uploaded; the page holds it by its focal point, thumbnails need no network.

    pip install eyefirst django
    python examples/django_photos.py runserver

One file for the sake of the example: in a project of yours, `Photo` goes to models.py, the rest to views.py, and
migrations make the table.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import django
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import execute_from_command_line
from django.db import connection, models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template import engines
from django.urls import path

import eyefirst

FOLDER = Path(os.environ.get("PHOTOS_FOLDER", "build/django"))
SIZES = {"square": (320, 320), "wide": (640, 360)}
"""The only ones that are cut: nobody can make the server cut more."""

if not settings.configured:
    FOLDER.mkdir(parents=True, exist_ok=True)
    settings.configure(
        DEBUG=True,
        ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
        SECRET_KEY="only for the example",
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "photos.sqlite")}},
        MEDIA_ROOT=str(FOLDER / "media"),
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


class Photo(models.Model):
    """A photo, and the plan of its crops as JSON."""

    file = models.ImageField(upload_to="photos")
    plan = models.JSONField(default=dict, editable=False)

    class Meta:
        app_label = "photos"

    def clean(self) -> None:
        """Forms call this: what is wrong with a photo is said beside its field."""
        try:
            self.plan = eyefirst.plan_crops(self.file.open(), list(SIZES.values())).to_dict()
        except eyefirst.EyefirstError as error:
            raise ValidationError({"file": f"{error.reason}; {error.remedy}"}) from error

    def thumbnail(self, size: tuple[int, int]) -> Any:
        """A Pillow picture of exactly this size. The plan says where to cut: no network is needed."""
        plan = eyefirst.CropPlan.from_dict(self.plan)
        frames = eyefirst.render_plan(plan, self.file.open(), size=size)
        return frames[str(eyefirst.AspectRatio.parse(size))][0]


class PhotoForm(forms.ModelForm):
    class Meta:
        model = Photo
        fields: ClassVar = ["file"]


PAGE = """<!doctype html>
<title>Photos</title>
<form method="post" enctype="multipart/form-data">{% csrf_token %}{{ form }}<button>Upload</button></form>
{% for photo in photos %}
  <img src="/{{ photo.pk }}/square.webp" width="320" height="320" alt="">
  <img src="/{{ photo.pk }}/original" alt=""
    style="width: 30vw; height: 60vh; object-fit: cover; object-position: {{ photo.plan.object_position }}">
{% endfor %}
"""


def index(request: HttpRequest) -> HttpResponse:
    """The photos, and a form for another one."""
    form = PhotoForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("/")
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"form": form, "photos": Photo.objects.order_by("-pk")}, request))


def thumbnail(_: HttpRequest, key: int, name: str) -> HttpResponse:
    """One of the SIZES, as WebP."""
    if name not in SIZES:
        raise Http404
    answer = HttpResponse(content_type="image/webp")
    get_object_or_404(Photo, pk=key).thumbnail(SIZES[name]).save(answer, "WEBP", quality=82)
    return answer


def original(_: HttpRequest, key: int) -> HttpResponse:
    """The file as it was uploaded."""
    photo = get_object_or_404(Photo, pk=key)
    return HttpResponse(photo.file.open().read(), content_type="image/jpeg")


urlpatterns = [
    path("", index),
    path("<int:key>/<slug:name>.webp", thumbnail),
    path("<int:key>/original", original),
]


def make_table() -> None:
    """What `migrate` does for an app in INSTALLED_APPS."""
    if Photo._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Photo)


if __name__ == "__main__":
    make_table()
    execute_from_command_line(sys.argv)
