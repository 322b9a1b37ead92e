"""eyefirst: where the eye goes first.

Finds what people look at in a picture and what its subjects are, and crops to any aspect ratio while
keeping what matters.

    import eyefirst
    eyefirst.crop("photo.jpg", "16:9").save("wide.jpg")

Names are loaded when they are first used, so that `import eyefirst` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyefirst.boxes import SalientObject
    from eyefirst.detectors import Detection, Detector, known_detectors, load_detector, register_detector
    from eyefirst.errors import EnlargedWarning, EyefirstError
    from eyefirst.face_maps import DetectedFace
    from eyefirst.files.outputs import write_picture
    from eyefirst.films.reframe import plan_reframe, reframe
    from eyefirst.films.reframe_plan import MustKeep, ReframePlan
    from eyefirst.framing import Frame, FramingOptions, Padding
    from eyefirst.geometry import AspectRatio, Box, LowerLeftBox, PixelBox, Point, Size
    from eyefirst.handler import ImageRequestHandler
    from eyefirst.heat_map import HeatMap
    from eyefirst.image import Image, Metadata, load_image, read_metadata
    from eyefirst.network import Network, OnnxNetwork, Prediction, known_revisions, load_network, register_network
    from eyefirst.observations import FaceObservation, RecognizedText, SaliencyObservation, TextObservation
    from eyefirst.plan import CropPlan
    from eyefirst.requests import (
        AttentionSaliencyRequest,
        FaceRectanglesRequest,
        ObjectnessSaliencyRequest,
        TextRecognitionRequest,
        TextRectanglesRequest,
    )
    from eyefirst.tools.crop import attention, crop, crop_to, faces, objects, render_animation, render_plan, thumbnail
    from eyefirst.tools.cutout import cutout
    from eyefirst.tools.planning import plan_crops

__version__ = "0.1.0"

_HOME = {
    "AspectRatio": "geometry",
    "AttentionSaliencyRequest": "requests",
    "Box": "geometry",
    "CropPlan": "plan",
    "DetectedFace": "face_maps",
    "Detection": "detectors",
    "Detector": "detectors",
    "EnlargedWarning": "errors",
    "EyefirstError": "errors",
    "FaceObservation": "observations",
    "FaceRectanglesRequest": "requests",
    "Frame": "framing",
    "FramingOptions": "framing",
    "HeatMap": "heat_map",
    "Image": "image",
    "ImageRequestHandler": "handler",
    "LowerLeftBox": "geometry",
    "Metadata": "image",
    "MustKeep": "films.reframe_plan",
    "Network": "network",
    "ObjectnessSaliencyRequest": "requests",
    "OnnxNetwork": "network",
    "Padding": "framing",
    "PixelBox": "geometry",
    "Point": "geometry",
    "Prediction": "network",
    "RecognizedText": "observations",
    "ReframePlan": "films.reframe_plan",
    "SaliencyObservation": "observations",
    "SalientObject": "boxes",
    "Size": "geometry",
    "TextObservation": "observations",
    "TextRecognitionRequest": "requests",
    "TextRectanglesRequest": "requests",
    "attention": "tools.crop",
    "crop": "tools.crop",
    "crop_to": "tools.crop",
    "cutout": "tools.cutout",
    "faces": "tools.crop",
    "known_detectors": "detectors",
    "known_revisions": "network",
    "load_detector": "detectors",
    "load_image": "image",
    "load_network": "network",
    "objects": "tools.crop",
    "plan_crops": "tools.planning",
    "plan_reframe": "films.reframe",
    "read_metadata": "image",
    "reframe": "films.reframe",
    "register_detector": "detectors",
    "register_network": "network",
    "render_animation": "tools.crop",
    "render_plan": "tools.crop",
    "thumbnail": "tools.crop",
    "write_picture": "files.outputs",
}

__all__ = [
    "AspectRatio",
    "AttentionSaliencyRequest",
    "Box",
    "CropPlan",
    "DetectedFace",
    "Detection",
    "Detector",
    "EnlargedWarning",
    "EyefirstError",
    "FaceObservation",
    "FaceRectanglesRequest",
    "Frame",
    "FramingOptions",
    "HeatMap",
    "Image",
    "ImageRequestHandler",
    "LowerLeftBox",
    "Metadata",
    "MustKeep",
    "Network",
    "ObjectnessSaliencyRequest",
    "OnnxNetwork",
    "Padding",
    "PixelBox",
    "Point",
    "Prediction",
    "RecognizedText",
    "ReframePlan",
    "SaliencyObservation",
    "SalientObject",
    "Size",
    "TextObservation",
    "TextRecognitionRequest",
    "TextRectanglesRequest",
    "attention",
    "crop",
    "crop_to",
    "cutout",
    "faces",
    "known_detectors",
    "known_revisions",
    "load_detector",
    "load_image",
    "load_network",
    "objects",
    "plan_crops",
    "plan_reframe",
    "read_metadata",
    "reframe",
    "register_detector",
    "register_network",
    "render_animation",
    "render_plan",
    "thumbnail",
    "write_picture",
]


def __getattr__(name: str) -> object:
    """Loads a public name's module when the name is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'eyefirst' has no attribute {name!r}")
    value = getattr(import_module(f"eyefirst.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
