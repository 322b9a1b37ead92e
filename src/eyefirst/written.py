"""Reading back what `to_dict` wrote: whatever is amiss with it is an error of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, Self, TypeVar

from eyefirst.errors import InvalidValueError

T = TypeVar("T")


def reads_back(
    kind: type[InvalidValueError] = InvalidValueError, remedy: str = "give what `to_dict` returned"
) -> Callable[[Callable[[type[T], Mapping[str, Any]], T]], Callable[[type[T], Mapping[str, Any]], T]]:
    """Let a `from_dict` raise this kind of error, with a remedy, for whatever it cannot read."""

    def decorated(method: Callable[[type[T], Mapping[str, Any]], T]) -> Callable[[type[T], Mapping[str, Any]], T]:
        @wraps(method)
        def read(cls: type[T], values: Mapping[str, Any]) -> T:
            expected = f"expected what {cls.__name__}.to_dict() writes"
            if not isinstance(values, Mapping):
                raise kind(f"{expected}, got {type(values).__name__}", remedy=remedy)
            try:
                return method(cls, values)
            except kind:
                raise
            except KeyError as error:
                raise kind(f"{expected}; it lacks {error}", remedy=remedy) from error
            except (TypeError, AttributeError, ValueError) as error:
                raise kind(f"{expected}; {error}", remedy=remedy) from error

        return read

    return decorated


class WrittenByName:
    """A dataclass of plain values, which JSON holds under the names of its fields."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote. Raises InvalidValueError."""
        return cls(**values)
