"""The names that a cell's code binds and uses, read from its text: nothing is run."""

import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 20_000  # characters of a cell that are read
MAGIC = re.compile(r"^([ \t]*)[%!?].*$", re.MULTILINE)
MAGIC_VALUE = re.compile(r"^([ \t]*\w[\w, ]*=)[ \t]*[%!][^=].*$", re.MULTILINE)
CELL_MAGIC = re.compile(r"\s*%%(\w+)[^\n]*\n?")
RUN = ("time", "capture")  # cell magics under which the sandbox runs code
LAMBDA = re.compile(r"^(\w+)[ \t]*=[ \t]*lambda\b", re.MULTILINE)
HIDING = re.compile(r"import[ \t]*\*|^[ \t]*%(?:run|load|pylab)", re.MULTILINE)
DYNAMIC = {"eval", "exec", "globals", "locals", "vars", "setattr"}
AT_ONCE = {"genexpr", "listcomp", "setcomp", "dictcomp"}


@dataclass(frozen=True)
class Names:
    """What a cell's code binds and uses at its top level.

    Args:
        parses: whether it is Python; if not, all else is empty.
        defines: functions and classes.
        binds: all names it gives a value, those of ``defines`` among them.
        uses: names that must have a value when the cell is run.
        calls: names that must have one when its functions are called.
        hides: it may bind names that cannot be read from its text.
    """

    parses: bool = False
    defines: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    hides: bool = False


@lru_cache(maxsize=512)
def names(source: str) -> Names:
    """The names in a cell's code.

    >>> found = names("%matplotlib inline\\ndef f(x): return g(x)\\ny = f(z)")
    >>> sorted(found.defines), sorted(found.binds), sorted(found.uses - found.binds)
    (['f'], ['f', 'y'], ['z'])
    >>> sorted(found.calls), names("An *answer* in words.").parses
    (['g'], False)
    """
    text = python(source[:LONGEST])
    try:
        with warnings.catch_warnings(action="ignore"):
            top = symtable.symtable(text, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Names()
    uses = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    binds = {
        symbol.get_name()
        for symbol in top.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }
    defines = {
        table.get_name()
        for table in top.get_children()
        if table.get_name() in binds and table.get_type() in ("function", "class")
    }
    calls: set[str] = set()
    for table, later in _inner(top):
        for symbol in table.get_symbols():
            if symbol.is_global() and symbol.is_assigned():
                binds.add(symbol.get_name())
            elif symbol.is_global() and symbol.is_referenced():
                (calls if later else uses).add(symbol.get_name())
    return Names(
        parses=True,
        defines=frozenset(defines | (binds & set(LAMBDA.findall(text)))),
        binds=frozenset(binds),
        uses=frozenset(uses),
        calls=frozenset(calls),
        hides=bool(HIDING.search(source[:LONGEST]) or DYNAMIC & (uses | calls)),
    )


def python(source: str) -> str:
    """A cell's Python: without magics and shell commands, and what is under them."""
    if magic := CELL_MAGIC.match(source):
        source = source[magic.end() :] if magic[1] in RUN else ""
    return MAGIC.sub(r"\1pass", MAGIC_VALUE.sub(r"\1 None", source))


def _inner(
    table: symtable.SymbolTable, later: bool = False
) -> Iterator[tuple[symtable.SymbolTable, bool]]:
    """The tables in a table, and whether they are run only when something is called."""
    waiting = [(child, later) for child in table.get_children()]
    while waiting:
        child, later = waiting.pop()
        later = later or (
            child.get_type() != "class" and child.get_name() not in AT_ONCE
        )
        yield child, later
        waiting += [(each, later) for each in child.get_children()]
