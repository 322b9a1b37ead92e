"""A registry maps names to factories and keeps what each factory made.

Networks and detectors both use it: a name is registered once, its object is made when it is first asked
for, and all threads of the process then share that object.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from eyefirst.errors import InvalidValueError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names, the factory of each, and the objects made so far. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._factories: dict[str, Callable[[], T]] = {}
        self._made: dict[str, T] = {}

    def register(self, name: str, factory: Callable[[], T]) -> None:
        """Add a name, or replace its factory. The factory is called once, when the name is first loaded.

        Raises InvalidValueError for what is no name or cannot be called.
        """
        if not isinstance(name, str) or not name:
            raise InvalidValueError(f"expected a name, got {name!r}", remedy="a text such as 'mine'")
        if not callable(factory):
            raise InvalidValueError(
                f"expected a function or a class that makes {name!r}, got {type(factory).__name__}",
                remedy="for an object that is made already use lambda: it",
            )
        with self._lock:
            self._factories[name] = factory
            self._made.pop(name, None)

    def names(self) -> tuple[str, ...]:
        """Return every registered name, in order of registration."""
        return tuple(self._factories)

    def __contains__(self, name: object) -> bool:
        """Whether the name is registered."""
        return isinstance(name, str) and name in self._factories

    def load(self, name: str) -> T:
        """Return the object of a registered name. Raises KeyError for an unknown one."""
        with self._lock:
            if name not in self._made:
                self._made[name] = self._factories[name]()
            return self._made[name]
