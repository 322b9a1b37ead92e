"""From data to card: how the networks that eyefirst ships are trained. Not part of the wheel."""
