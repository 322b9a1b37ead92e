"""Reading back what was written: whatever is amiss with it is an error of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ClassVar, Self, TypeVar

from eyefirst.errors import InvalidValueError

T = TypeVar("T")
Reader = Callable[[type[T], Mapping[str, Any]], T]
PLAN_AGAIN = "give what --json printed, or plan again"


@contextmanager
def understood(what: str, kind: type[InvalidValueError], remedy: str) -> Iterator[None]:
    """Raise this kind of error where values are not what they should be. what: what they should be."""
    try:
        yield
    except kind:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        words = f"it lacks {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
        raise kind(f"expected {what}; {words}", remedy=remedy) from error


def reads_back(
    kind: type[InvalidValueError] = InvalidValueError, remedy: str = "give what `to_dict` returned"
) -> Callable[[Reader[T]], Reader[T]]:
    """Let a `from_dict` raise this kind of error, with a remedy, for whatever it cannot read."""

    def decorated(method: Reader[T]) -> Reader[T]:
        @wraps(method)
        def read(cls: type[T], values: Mapping[str, Any]) -> T:
            what = f"what {cls.__name__}.to_dict() writes"
            if not isinstance(values, Mapping):
                raise kind(f"expected {what}, got {type(values).__name__}", remedy=remedy)
            with understood(what, kind, remedy):
                return method(cls, values)

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
