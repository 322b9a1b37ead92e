"""A picture's journey in the browser: the package's own code, with the network run by JavaScript in the middle.

onnxruntime-web answers later, by a promise, and `Network.predict` answers at once. So `network_input` hands out the
pixels, and `plan` goes on when the maps are there.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.features
import PIL.Image
from numpy.typing import NDArray

from eyefirst.cut import resized, scaled_by
from eyefirst.drawing import draw_view
from eyefirst.errors import MissingExtraError, NotAPictureError, PictureError, UnsupportedPictureError
from eyefirst.files.encode import encode
from eyefirst.files.formats import JPEG
from eyefirst.geometry import Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.network import Prediction
from eyefirst.tools.crop import crops_of
from eyefirst.tools.planning import plan_from

VIEW_SIDE = 960
"""Longest side of a view, in pixels."""
CROP_SIDE = 560
"""Longest side of a crop as it is shown, in pixels."""


class RefusedError(Exception):
    """The photo cannot be used; the words are for the visitor."""


class MapsFromOutside:
    """A network whose maps somebody else computes: it answers for one input, once `prediction` is set."""

    def __init__(self, revision: str, input_side: int) -> None:
        self.revision = revision
        self.input_side = input_side
        self.pictures: NDArray[np.uint8] | None = None
        self.prediction: Prediction | None = None

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        """The maps of the pixels that were handed out; other pixels are an error of this page."""
        if self.prediction is None or not np.array_equal(pictures, self.pictures):
            raise RuntimeError("The maps of these pixels are not here. Please report this as a fault of the page.")
        return self.prediction


class Journey:
    """One picture, from the bytes of a file, or from RGBA pixels where the browser decoded it."""

    def __init__(self, data: Any, *, side: int, revision: str, size: Any = None) -> None:
        self._network = MapsFromOutside(revision, side)
        source: Any = data.to_bytes()
        if size is not None:
            source = PIL.Image.frombytes("RGBA", tuple(size), source)
        self._handler = ImageRequestHandler(source, network=self._network)

    def unreadable(self) -> str:
        """Why the browser has to decode the file instead; nothing where Pillow does it as the package does elsewhere.

        Raises RefusedError for a file that nobody can use.
        """
        try:
            _ = self._handler.image
        except (NotAPictureError, MissingExtraError):
            return "Python in the browser does not read this format."
        except UnsupportedPictureError as error:
            return f"The file {error.reason}."
        except PictureError as error:
            raise RefusedError(f"The file {error.reason}. Next: {error.remedy}.") from error
        if not PIL.features.check("littlecms2") and not self._handler.opened.is_in_memory:
            profile = PIL.Image.open(io.BytesIO(self._handler.opened.data)).info.get("icc_profile") or b""
            if profile and b"sRGB" not in profile.replace(b"\0", b""):
                return "The file has a colour profile other than sRGB."
        return ""

    def network_input(self) -> bytes:
        """The picture as the network takes it: side x side x 3 bytes of sRGB."""
        self._network.pictures = self._handler.image.squashed(self._network.input_side)[np.newaxis]
        return self._network.pictures.tobytes()

    def plan(self, maps: Any, ratios: Any) -> dict[str, Any]:
        """Views, crops and the plan. maps: name, values and shape of every output of the network."""
        named = {
            name: np.frombuffer(values.to_bytes(), np.float32).reshape(tuple(shape)) for name, values, shape in maps
        }
        self._network.prediction = Prediction(
            named["attention"], named["objectness"], named.get("faces"), named.get("text")
        )
        handler = self._handler
        plan = plan_from(handler, list(ratios))
        size = plan.size
        shown = scaled_by(VIEW_SIDE / max(size.width, size.height))
        picture = resized(handler.picture(shown).picture.convert("RGB"), shown(size))
        seen = handler.look()
        subjects = seen.objects.salient_objects
        return {
            "size": [size.width, size.height],
            "views": [
                {"name": name, "found": len(boxes), "picture": encode(draw_view(picture, heat, boxes, view=view), JPEG)}
                for name, heat, boxes, view in (
                    ("attention", seen.attention.heat_map, seen.attention.salient_objects, "combined"),
                    ("subjects", seen.objects.heat_map, subjects, "combined"),
                    ("faces", seen.objects.heat_map, seen.faces, "boxes"),
                )
            ],
            "crops": [
                {
                    "ratio": str(crop.ratio),
                    "reason": crop.frame.reason,
                    "warnings": list(crop.frame.warnings),
                    "kept": crop.frame.kept,
                    "size": [crop.frame.size.width, crop.frame.size.height],
                    "picture": encode(crop.picture, JPEG),
                }
                for crop in crops_of(plan, handler, size=Size(CROP_SIDE, CROP_SIDE), enlarge=False, animated=False)
            ],
            "plan": plan.to_json(),
        }
