"""Tuples with names for `healmon status`: `typing.NamedTuple` without loading `typing`.

That module costs a third of what an empty interpreter does. To the type checkers it is the very
same; at run time a class is made of the same `collections.namedtuple`.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Maker(type):
        """Makes what has fields a tuple, as `typing.NamedTuple` does."""

        def __new__(cls, name, bases, space):  # noqa: ANN001, ANN204 - hidden from the checkers
            if not bases:
                return super().__new__(cls, name, bases, space)
            fields = space.get("__annotations__", {})
            defaults = [space[field] for field in fields if field in space]
            made = namedtuple(  # noqa: PYI024 - that one is made of it, too
                name, fields, defaults=defaults, module=space["__module__"]
            )
            for key, value in space.items():
                if key not in fields and key not in {"__module__", "__qualname__"}:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """The base of such classes; they are plain tuples and have no other base."""


__all__ = ["NamedTuple"]
