"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_save, pre_save


class EyefirstConfig(AppConfig):
    """Fills focal points of new and of replaced pictures where the setting EYEFIRST_ON_UPLOAD is true."""

    name = "eyefirst.integrations.wagtail"
    label = "eyefirst"
    verbose_name = "eyefirst"

    def ready(self) -> None:
        """Models can be imported from here on."""
        from wagtail.images import get_image_model  # noqa: PLC0415 - not before apps are ready

        from eyefirst.integrations.wagtail.focal_points import before_save, on_save  # noqa: PLC0415

        pre_save.connect(before_save, sender=get_image_model(), dispatch_uid="eyefirst_replaced_files")
        post_save.connect(on_save, sender=get_image_model(), dispatch_uid="eyefirst_focal_points")
