"""Names for what annotations tell."""


class _Any:
    pass


Any = _Any()
Optional = Union = Literal = ClassVar = Final = Annotated = Type = Tuple = Any
List, Dict, Set = list, dict, set
Sequence = (list, tuple, str, range, bytes)
MutableSequence = (list,)
Mapping = MutableMapping = dict
Iterator = Iterable = Generator = type(i for i in ())
Sized = Collection = Iterable = (list, tuple, str, range, bytes, dict, set, Iterator)
Hashable = (int, float, str, tuple, bool, frozenset, bytes)
Callable = type(lambda: None)
Number = (int, float)
TYPE_CHECKING = False


def cast(kind, value):
    """The value itself."""
    return value


def TypeVar(name, *kinds, **more):
    """A name for any type."""
    return Any


def NamedTuple(name, fields):
    """A tuple with names."""
    from collections import namedtuple

    return namedtuple(name, [field for field, _ in fields])


def overload(function):
    """The function itself."""
    return function


final = override = overload
