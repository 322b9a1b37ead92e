"""Where to cut a picture: maps, boxes, a ratio and options in; ranked frames out.

`options` says what can be asked and what a frame is. `content` prepares what there is to frame. `score` says what a
frame is worth, `judge` what an editor would say of it. `search` tries all places, `portrait` those of a portrait, and
`framer` puts them together.
"""

from eyefirst.framing.content import Content, FaceLike
from eyefirst.framing.framer import NEAR_COPY_IOU, Framer
from eyefirst.framing.options import Fit, Frame, FramingOptions, Padding, Portrait, Prefer
from eyefirst.framing.score import WEIGHTS, Weights, score_along
from eyefirst.framing.search import ANCHOR_LENGTHS, Placement
from eyefirst.framing.spans import Spans

__all__ = [
    "ANCHOR_LENGTHS",
    "NEAR_COPY_IOU",
    "WEIGHTS",
    "Content",
    "FaceLike",
    "Fit",
    "Frame",
    "Framer",
    "FramingOptions",
    "Padding",
    "Placement",
    "Portrait",
    "Prefer",
    "Spans",
    "Weights",
    "score_along",
]
