"""Files that eyefirst writes: formats, encoding, names, and what may be replaced. Decided here for all ways in."""
