"""Does a frame look as a picture editor would set it? Measured on pictures that carry people's own judgement.

    python -m benchmarks.quality.editor measure --shards SHARDS --cache CACHE

`referee` finds faces with a detector that eyefirst does not use. `looks` keeps the maps and faces of every
picture in a cache, so that a trial of the score takes seconds. `measures` judges frames by faces, by people's crops,
by fixations and by subjects of another network. `fit` learns the weights of the score. `sheets` draws crops beside
one another for looking.
"""
