"""Where pictures and labels come from: shards and original layouts in, one memory-mapped store out."""
