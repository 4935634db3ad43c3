"""Whose the folders of a Gradescope export are, by the table that lies beside them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import yaml

from layers_book.coursework.collect.archive import Entry
from layers_book.coursework.collect.notebook import Unreadable
from layers_book.coursework.collect.paths import Owner, PathInfo

__all__ = ["with_owners"]

TABLE = "submission_metadata.yml"
LIMIT = 50 * 2**20  # bytes: it holds every earlier attempt, too


def with_owners(
    infos: Sequence[PathInfo], paths: Sequence[Sequence[str]], entries: Sequence[Entry]
) -> list[PathInfo]:
    """The same, with owners and times of what lies in Gradescope's folders.

    Args:
        infos: what the paths say by themselves.
        paths: their parts, without wrappers.
        entries: the files.
    """
    mine = [bool(i.layout and i.layout.name == "gradescope") for i in infos]
    if not any(mine):
        return list(infos)
    table, problem = _table(paths, entries)
    result = []
    for info, path, of_gradescope in zip(infos, paths, mine, strict=True):
        if list(path) == [TABLE]:
            info = replace(
                info, problem="no submission, but Gradescope's table of them"
            )
        elif of_gradescope and problem:
            info = replace(info, owner=None, problem=problem)
        elif of_gradescope:
            info = _info(info, path[0], table)
        result.append(info)
    return result


def _table(
    paths: Sequence[Sequence[str]], entries: Sequence[Entry]
) -> tuple[dict[str, Any], str]:
    """What it says by folder, and why it cannot be read, or ``""``."""
    for path, entry in zip(paths, entries, strict=True):
        if list(path) == [TABLE]:
            try:
                loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
                table = yaml.load(entry.load(LIMIT), loader)
            except (Unreadable, yaml.YAMLError, ValueError, RecursionError) as error:
                text = str(error).split("\n")[0]
                return {}, f"Gradescope's {TABLE} cannot be read: {text:.200}"
            if isinstance(table, dict):
                return table, ""
            return {}, f"Gradescope's {TABLE} is no table of submissions"
    return {}, (
        f"Gradescope's {TABLE} is not in the download, which says whose it is: export"
        " the submissions again and give the whole zip"
    )


def _info(info: PathInfo, folder: str, table: dict[str, Any]) -> PathInfo:
    row = table.get(folder)
    people = row.get(":submitters") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(people, list) or not people:
        problem = f"{folder:.40} is not in Gradescope's {TABLE}"
        return replace(info, owner=None, problem=problem)
    owners = [_owner(person) for person in people if isinstance(person, dict)]
    if len(owners) != 1:
        names = ", ".join(repr(owner.name)[:60] for owner in owners)
        problem = f"of a group ({names}): put a copy into a folder for each of them"
        return replace(info, owner=None, problem=problem)
    when = row.get(":created_at")
    time = when.timestamp() if isinstance(when, datetime) else None
    return replace(info, owner=owners[0], time=time)


def _owner(person: dict[str, Any]) -> Owner:
    name, sid, email = (
        str(person.get(f":{key}") or "").strip() for key in ("name", "sid", "email")
    )
    return Owner("gradescope", name or email or sid, sid or email, email, unique=True)
