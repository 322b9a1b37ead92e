"""Folders of pictures: walking, a journal, thumbnails, plans, reports."""
