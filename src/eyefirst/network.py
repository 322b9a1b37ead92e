"""Networks: pictures in, heat maps out. The only place that knows onnxruntime.

A network is anything with the shape of `Network`. The ones that ship are ONNX files that describe
themselves in their metadata; `MappedOnnxNetwork` runs other people's files by a declared mapping;
`register_network` adds either by the same door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import NetworkMismatchError, UnknownRevisionError
from eyefirst.mappings import OnnxMapping
from eyefirst.registry import Registry
from eyefirst.weight_store import find_weights, known_weights, verified

CPU_ONLY = ("CPUExecutionProvider",)
LAST_BITS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Heat maps of n pictures, (n, 68, 68) float32 in 0..1, row 0 at the top.

    attention: fixation density relative to an even spread, divided by the network's stated ceiling.
    objectness: probability that the cell belongs to a foreground subject.
    faces: the maps that `eyefirst.face_maps.decode_faces` reads, (n, 5, 68, 68), or None where the network has none.
    text: probability that the cell is text, or None where the network has none.
    """

    attention: NDArray[np.float32]
    objectness: NDArray[np.float32]
    faces: NDArray[np.float32] | None = None
    text: NDArray[np.float32] | None = None


class Network(Protocol):
    """What the journey asks of a network."""

    @property
    def revision(self) -> str:
        """Name and version, unique among the registered networks."""
        ...

    @property
    def input_side(self) -> int:
        """Side of the square that a picture is squashed to, in pixels."""
        ...

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        """Both maps for (n, side, side, 3) uint8 sRGB pictures."""
        ...


class OnnxNetwork:
    """A network in an ONNX file with input `image` uint8 (n, side, side, 3) and outputs `attention`, `objectness`.

    Further outputs, `faces` and `text`, are optional.
    `threads` is the number of onnxruntime threads; one, the default, is best where many pictures are
    worked on side by side. `providers` are onnxruntime's execution providers, in order of preference;
    a provider that does not come into force is an error rather than a silent change to the CPU.
    Safe to share between threads.
    """

    def __init__(self, path: str | PathLike[str], *, threads: int = 1, providers: tuple[str, ...] = CPU_ONLY) -> None:
        self._session = _open_session(path, threads, providers)
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self._check_shape(str(path))

    def _check_shape(self, path: str) -> None:
        inputs = {i.name: i for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        image = inputs.get("image")
        if image is None or image.type != "tensor(uint8)" or not {"attention", "objectness"} <= outputs:
            raise NetworkMismatchError(
                f"expected input 'image' (uint8) and outputs 'attention', 'objectness'; "
                f"got {sorted(inputs)} and {sorted(outputs)}",
                remedy="export it with training.export, or wrap it in a class of your own that follows Network",
                source=path,
            )
        side = image.shape[1] if len(image.shape) == 4 else None
        if not isinstance(side, int) or list(image.shape[1:]) != [side, side, 3]:
            raise NetworkMismatchError(
                f"expected input 'image' of shape (n, side, side, 3) with a fixed side, got {image.shape}",
                remedy="export it with a fixed input size; only the number of pictures may be open",
                source=path,
            )
        self._side = side
        self._outputs = ["attention", "objectness", *(name for name in ("faces", "text") if name in outputs)]

    @property
    def revision(self) -> str:
        """As the file's own metadata says."""
        return self.metadata.get("revision", "unknown")

    @property
    def input_side(self) -> int:
        """Side of the square that the file takes."""
        return self._side

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        """Both maps for (n, side, side, 3) uint8 sRGB pictures."""
        _check_pictures(pictures, self._side)
        maps = map(_without_overshoot, self._session.run(self._outputs, {"image": pictures}))
        return Prediction(**dict(zip(self._outputs, maps, strict=True)))


class MappedOnnxNetwork:
    """Any ONNX file whose input and outputs a mapping declares.

    The file is opened only if its content has the given SHA-256 (hex); what the file says of its
    input is compared with the mapping. `threads` and `providers` are those of `OnnxNetwork`. A file
    made for one picture at a time is run so. Safe to share between threads.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        mapping: OnnxMapping,
        *,
        revision: str,
        sha256: str,
        threads: int = 1,
        providers: tuple[str, ...] = CPU_ONLY,
    ) -> None:
        checked = verified(Path(path), sha256, remedy="give the hash of this very file, or fetch it again")
        self.mapping = mapping
        self._revision = revision
        self._session = _open_session(checked, threads, providers)
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        taken = _named(self._session.get_inputs(), mapping.input, path)
        wanted = f"tensor({'float' if mapping.dtype == 'float32' else mapping.dtype})"
        fits = len(taken.shape) == 4 and all(
            not isinstance(found, int) or found == expected
            for found, expected in zip(taken.shape[1:], mapping.input_shape, strict=True)
        )
        if taken.type != wanted or not fits:
            raise NetworkMismatchError(
                f"the mapping declares {wanted} of shape (n, *{mapping.input_shape}), "
                f"the file's input '{taken.name}' is {taken.type} of shape {taken.shape}",
                remedy="set size, layout and dtype of the mapping",
                source=str(path),
            )
        self._input = taken.name
        self._one_by_one = isinstance(taken.shape[0], int)
        declared = (mapping.attention, mapping.objectness)
        self._outputs = [_named(self._session.get_outputs(), o.output, path).name if o else None for o in declared]

    @property
    def revision(self) -> str:
        """As it was given."""
        return self._revision

    @property
    def input_side(self) -> int:
        """The longer side of the file's input; pictures are squashed from there where it is no square."""
        return max(self.mapping.size.width, self.mapping.size.height)

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        """Both maps for (n, side, side, 3) uint8 sRGB pictures."""
        _check_pictures(pictures, self.input_side)
        tensor = self.mapping.tensor(pictures)
        batches = [tensor[i : i + 1] for i in range(len(tensor))] if self._one_by_one else [tensor]
        names = [name for name in self._outputs if name is not None]
        try:
            answers = [self._session.run(names, {self._input: batch}) for batch in batches]
        except Exception as error:  # onnxruntime's exceptions share no base class but Exception
            raise NetworkMismatchError(
                f"onnxruntime cannot run {self._revision}: {str(error).splitlines()[0]}",
                remedy="compare the mapping with what the network's authors feed it",
            ) from error
        found = dict(zip(names, (np.concatenate(parts) for parts in zip(*answers, strict=True)), strict=True))
        attention, objectness = (found[name] if name is not None else None for name in self._outputs)
        subjects = self.mapping.objectness_map(objectness, len(pictures))
        return Prediction(self.mapping.attention_map(attention, subjects), subjects)


def _open_session(path: str | PathLike[str], threads: int, providers: tuple[str, ...]) -> Any:
    """An onnxruntime session whose first provider is really in force."""
    import onnxruntime as ort  # noqa: PLC0415 - imported late: it costs more than all the rest of the package

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        raise NetworkMismatchError(
            f"onnxruntime cannot open the network: {str(error).splitlines()[0]}",
            remedy="expected an ONNX file that this onnxruntime can read",
            source=str(path),
        ) from error
    in_force = session.get_providers()
    if in_force[0] != providers[0]:
        raise NetworkMismatchError(
            f"expected the provider {providers[0]}, got {in_force[0]}",
            remedy=f"install an onnxruntime build that has it, or choose among {ort.get_available_providers()}",
        )
    return session


def _without_overshoot(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map whose sigmoid missed 0..1 by its last bits, as onnxruntime's may, put back into it."""
    low, high = float(values.min(initial=0)), float(values.max(initial=1))
    return values.clip(0, 1) if low > -LAST_BITS and high < 1 + LAST_BITS else values


def _check_pictures(pictures: NDArray[np.uint8], side: int) -> None:
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != (side, side, 3):
        raise NetworkMismatchError(
            f"expected uint8 pictures of shape (n, {side}, {side}, 3), got {pictures.dtype} of shape {pictures.shape}",
            remedy="Image.squashed(network.input_side) makes one",
        )


def _named(values: list[Any], which: str | int, path: str | PathLike[str]) -> Any:
    """One of a session's inputs or outputs, by name or place."""
    names = [v.name for v in values]
    at = which if isinstance(which, int) else names.index(which) if which in names else -1
    if not 0 <= at < len(values):
        raise NetworkMismatchError(
            f"the mapping names {which!r}, the file has {names}", remedy="correct the mapping", source=str(path)
        )
    return values[at]


NetworkFactory = Callable[[], Network]

_networks: Registry[Network] = Registry()


def register_network(revision: str, factory: NetworkFactory) -> None:
    """Make a network known under a revision. The factory is called once, when the revision is first asked for."""
    _networks.register(revision, factory)


def known_revisions() -> tuple[str, ...]:
    """Return every revision that can be asked for; of those that ship, the last is the newest."""
    return _networks.names()


def default_revision() -> str:
    """The newest revision that ships."""
    return known_weights()[-1].revision


def check_revision(revision: str | None) -> str:
    """The revision itself, or the default for None; UnknownRevisionError lists those known."""
    if revision is None:
        return default_revision()
    if revision not in _networks:
        raise UnknownRevisionError(
            f"expected a revision among {', '.join(known_revisions())}; got {revision!r}",
            remedy="leave it out for the newest",
        )
    return revision


def load_network(revision: str | None = None) -> Network:
    """The network of a revision, the newest one by default; opened once per process and shared."""
    return _networks.load(check_revision(revision))


def _open_packaged(revision: str) -> Network:
    return OnnxNetwork(find_weights(revision))


for _entry in known_weights():
    register_network(_entry.revision, partial(_open_packaged, _entry.revision))
