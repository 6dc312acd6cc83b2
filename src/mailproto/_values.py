"""Values that are made by the hundred thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def hot_value(kind: type[T]) -> type[T]:
    """A slotted dataclass that is frozen for a type checker, and not at run time.

    To make one takes a quarter of the time.  Whoever changes one all the same changes
    it for all who have it: they are compared, hashed and shared like frozen ones.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


def setters(kind: type[Any]) -> list[Callable[[Any, Any], None]]:
    """What sets each field of a slotted value, in their order, be it frozen or not.

    One of which all has been seen to can so be made without its checks.
    """
    return [getattr(kind, entry.name).__set__ for entry in fields(kind)]
