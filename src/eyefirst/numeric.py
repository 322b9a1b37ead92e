"""Numbers of any type: Python's, numpy's and fractions, told apart from what is none."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from fractions import Fraction
from numbers import Rational, Real
from typing import Any, SupportsIndex, TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number: int, float, Fraction or numpy's, but no bool."""
    if type(value) is float or type(value) is int:  # nearly all are, and abstract types are slow to ask
        return math.isfinite(value)
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


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
    return Fraction(float(value))


def is_pair(value: object) -> TypeGuard[Sequence[float]]:
    """Whether a value is one ratio written as two numbers, of whatever type: (16, 9), [4.0, 3.0], an array of two."""
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__len__") or len(value) != 2:
        return False
    return all(is_number(v) for v in value)  # type: ignore[attr-defined]
