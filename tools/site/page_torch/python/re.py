"""The module re, with what MicroPython's lacks."""

from ure import compile, match, search, sub


class Match:
    """What has been found, at its place in the whole text."""

    def __init__(self, found, text, start, count):
        self._found, self.string, self._start = found, text, start
        self._count = count

    def group(self, *numbers):
        """The text of groups."""
        found = [self._found.group(n) for n in numbers or (0,)]
        return found[0] if len(found) == 1 else tuple(found)

    def groups(self):
        """The texts of all groups."""
        return tuple([self._found.group(n + 1) for n in range(self._count)])

    def __getitem__(self, number):
        return self._found.group(number)

    def start(self):
        """Where it begins."""
        return self._start

    def end(self):
        """Where it ends."""
        return self._start + len(self._found.group(0))

    def span(self):
        """Where it begins and ends."""
        return self.start(), self.end()


def finditer(pattern, string, flags=0):
    """What fits, one after the other."""
    at = 0
    plain = str(pattern).replace("\\\\", "").replace("\\(", "")
    count = plain.count("(") - plain.count("(?:")
    while at <= len(string):
        rest = string[at:]
        found = search(pattern, rest)
        if not found or (at and str(pattern).startswith("^")):
            return
        text = found.group(0)
        for place in range(len(rest)):  # there it does not tell
            if rest.startswith(text, place) and _begins(pattern, rest[place:], text):
                break
        else:
            place = len(rest)
        yield Match(found, string, at + place, count)
        at += place + max(len(text), 1)


def _begins(pattern, rest, text):
    found = match(pattern, rest)
    return bool(found) and found.group(0) == text


def findall(pattern, string, flags=0):
    """The texts that fit, or their groups."""
    found = []
    for one in finditer(pattern, string):
        groups = one.groups()
        if not groups:
            found.append(one.group())
        else:
            found.append(groups[0] if len(groups) == 1 else groups)
    return found


def split(pattern, string, maxsplit=0):
    """What stands between."""
    found, at = [], 0
    for one in finditer(pattern, string):
        if maxsplit and len(found) == maxsplit:
            break
        if one.group():
            found += [string[at : one.start()]] + list(one.groups())
            at = one.end()
    return found + [string[at:]]


def fullmatch(pattern, string, flags=0):
    """A match of the whole text."""
    found = match(pattern, string)
    return found if found and found.group(0) == string else None


def escape(pattern):
    """A text that fits itself."""
    return "".join(["\\" + c if c in ".^$*+?{}[]\\|()" else c for c in pattern])
