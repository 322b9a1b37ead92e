"""Focal points for Wagtail (the extra `[wagtail]`), found instead of drawn by hand: a Django app.

With "eyefirst.integrations.wagtail" in INSTALLED_APPS, `manage.py eyefirst_focal_points` fills those that are missing,
and EYEFIRST_ON_UPLOAD = True those of new pictures.
"""
