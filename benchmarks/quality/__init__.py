"""How good the shipped network and its crops are, on pictures held back from training, beside rivals.

    python -m benchmarks.quality --shards SHARDS --store STORE

A sample goes through `methods` (ours, people, simple priors, other croppers); `attention`, `crops` and
`objects` judge what they answer; `tables` prints it. What a score means is defined in `training.metrics`.
"""
