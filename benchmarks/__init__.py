"""Measurements of eyefirst beside its rivals: `quality` and `speed`."""
