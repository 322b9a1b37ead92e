"""Which file is the sidecar of a photo: by any program's convention, in any case."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eyefirst.errors import OutputError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sidecar goes. warning: what the user should know of it, or nothing."""

    path: Path
    warning: str = ""


def sidecar_path(photo: str | os.PathLike[str], *, short_name: bool = False) -> Path:
    """Return `photo.jpg.xmp`, as darktable, digiKam and Immich name it; short: `photo.xmp`, as Adobe does."""
    path = Path(photo)
    return path.with_suffix(".xmp") if short_name else path.with_name(f"{path.name}.xmp")


def place_of(photo: str | os.PathLike[str], *, short_name: bool = False) -> Place:
    """Return the sidecar that is there, whatever its case and convention, or else the one to make.

    A sidecar `photo.xmp` that may belong to another file, such as `photo.cr2`, is left alone. Raises OutputError.
    """
    wanted = sidecar_path(photo, short_name=short_name)
    own, folder = Path(photo), Path(photo).parent
    try:
        names = set(os.listdir(folder))
    except FileNotFoundError:
        return Place(wanted)
    except OSError as error:
        raise OutputError.of(error, str(folder)) from error
    sidecars = [name for name in names if name.casefold().endswith(".xmp")]

    def there(path: Path) -> list[str]:
        found = [n for n in sidecars if n.casefold() == path.name.casefold()]
        others = [n for n in found if n != path.name and n[:-4] in names and n[:-4] != own.name]
        return sorted(set(found) - set(others), key=lambda n: n != path.name)

    found = there(wanted)
    other = there(sidecar_path(photo, short_name=not short_name))
    if found:
        rivals = [*found[1:], *other]
        warning = f"{folder / rivals[0]} is a sidecar of this photo too; programs may read either" if rivals else ""
        return Place(folder / found[0], warning)
    if not other:
        return Place(wanted)
    twins = [n for n in names if os.path.splitext(n)[0].casefold() == own.stem.casefold() and n != own.name]
    if not short_name and not [n for n in twins if n not in sidecars]:
        return Place(folder / other[0], f"merged into {folder / other[0]}, which is the sidecar of this photo already")
    return Place(wanted, f"{folder / other[0]} is there too; programs that read it do not see the regions")
