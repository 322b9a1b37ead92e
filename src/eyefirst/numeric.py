"""Numbers of any type: Python's, numpy's and fractions, told apart from what is none."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, SupportsIndex, TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number: int, float, Fraction, Decimal or numpy's, but no bool.

    Turn it into a float, or make it `exact`, before counting with it: a Decimal does not mix with floats.
    """
    if type(value) is float or type(value) is int:  # nearly all are, and abstract types are slow to ask
        return math.isfinite(value)
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_within(value: object, least: float, most: float = math.inf) -> TypeGuard[float]:
    """Whether a value is a finite real number from `least` to `most`; True and False are none."""
    return is_number(value) and least <= value <= most


def as_whole(value: object) -> int | None:
    """Return a whole number of any type (int or numpy's, but no bool) as an int; None for anything else."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:  # a numpy array of several numbers
        return None


def exact(value: Any) -> Fraction:
    """Return a number as a fraction of Python's own integers."""
    if isinstance(value, Rational):  # numpy's integers are, but their arithmetic is not exact
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        return Fraction(value)
    return Fraction(float(value))


def is_two(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value is two others in their order; a text is none."""
    if isinstance(value, (str, bytes, Mapping)):
        return False
    try:
        return len(value) == 2  # type: ignore[arg-type]
    except TypeError:  # also a numpy array without axes, which has a `__len__`
        return False


def is_pair(value: object) -> TypeGuard[Sequence[float]]:
    """Whether a value is one ratio written as two numbers, of whatever type: (16, 9), [4.0, 3.0], an array of two."""
    return is_two(value) and all(is_number(v) for v in value)


def is_several(values: object) -> TypeGuard[Iterable[Any]]:
    """Whether there is something to go through; a text is one value, and so is a numpy array without axes."""
    return isinstance(values, Iterable) and not isinstance(values, (str, bytes)) and getattr(values, "ndim", 1) != 0


def listed(values: Any) -> list[Any]:
    """Return one value or several of them as a list; a text is one, and so are the four numbers of a box."""
    if not is_several(values):
        return [values]
    several = list(values)
    return [tuple(several)] if len(several) == 4 and all(map(is_number, several)) else several
