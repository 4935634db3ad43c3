"""Runs a reader's text for an exercise and tells the verdict; see engine/session.js."""

import json
import sys

import _python
import _source

from layers_book import reading
from layers_book.checking import sketch
from layers_book.checking.judging.verdict import first_difference, judge
from layers_book.checking.recording import raised, record
from layers_book.checking.values import asked, measure_steps, value_steps

COLAB = "open the notebook in Colab"
MOST = 20_000  # characters that are shown of what a text prints
TOO_MUCH = 200_000  # characters after which it is stopped
known = {}  # by name, each exercise that has been checked
current = None  # what is being checked


def warm():
    """Import what most exercises need."""
    import torch.nn.functional

    import layers_book.checking.exercise


class Missing(Exception):
    """What the page lacks, in a sentence."""


class Stopped(BaseException):
    """Ends a text that goes on and on."""


class Known:
    """An exercise with what is frozen of it.

    Args:
        name: of the exercise.
        given: ``whole``, ``module``, ``setup`` and ``frozen``, the text of a JSON.
    """

    def __init__(self, name, given):
        self.name = name
        self.setup = given["setup"]
        self.module = given["module"]
        self.frozen = json.loads(given["frozen"])
        self.whole = self.frozen["whole"]
        self.exercise = None
        self.right = {}
        self.count = len(self.frozen["right"])
        self._solution = None

    def load(self):
        """Import the exercise's module, which needs torch."""
        if self.exercise is None and not self.whole:
            __import__(self.module)
            for exercise in sys.modules[self.module].EXERCISES:
                if exercise.name == self.name:
                    self.exercise = exercise
        return self.exercise

    @property
    def hints(self):
        """The sentence of each known mistake."""
        return self.frozen["hints"] if self.whole else self.exercise.hints

    def expected(self, index):
        """The right record of a configuration, as torch itself has it."""
        if index not in self.right:
            if self.whole:
                found = [
                    tuple(case) for case in sketch.unpacked(self.frozen["right"][index])
                ]
            else:
                if self._solution is None:
                    self._solution = self.exercise.solved()
                found = self.exercise.record(self._solution, index, forbid=False)
                if not sketch.fits(self.frozen["right"][index], found):
                    raise Missing(_differs(self.frozen["right"][index], found))
            self.right[index] = found
        return self.right[index]

    def mistake(self, number, got, told):
        """The records of a known mistake, as far as an answer's tell it."""
        kept = self.frozen["mistakes"][number]
        if self.whole:
            return lambda index: [tuple(case) for case in sketch.unpacked(kept[index])]
        return lambda index: sketch.rebuilt(
            kept[index], self.expected(index), got(index), told.setdefault(index, {})
        )

    def record(self, answer, index, watch, lenient):
        """What an answer does in a configuration."""
        if not self.whole:
            return self.exercise.record(answer, index, True, watch, lenient)
        right = self.expected(index)[0]
        steps = measure_steps if right[0] == "measurement" else value_steps
        tolerance = right[4] if len(right) > 4 else None
        return record(asked(steps, answer, {}, {}), (), tolerance)

    def judged(self, answer, watched=False):
        """State and sentences."""
        kept = {}

        def got(index):
            if index not in kept:
                watch = self._watch(watched)
                try:
                    kept[index] = self.record(answer, index, watch, False)
                except Exception:
                    if not wrong():
                        raise
                    kept[index] = self.record(answer, index, watch, True)
            return kept[index]

        def wrong():
            """Whether an earlier configuration has decided: the rest is for a hint."""
            return any(
                [first_difference(self.expected(i), kept[i]) is not None for i in kept]
            )

        told = {}
        mistakes = [
            (hint, self.mistake(at, got, told)) for at, hint in enumerate(self.hints)
        ]
        return judge(self.count, got, self.expected, mistakes)

    def _watch(self, watched):
        if not watched:
            return None
        from layers_book.checking.cuts import Watch

        return Watch()


def _differs(kept, found):
    """What says where the page's own right record is not that of torch."""
    last = found[-1] if found else None
    if last and last[0] == "raised":
        return f"{last[3]['type']}: {last[3]['text']}"
    for at, case in enumerate(found):
        if at >= len(kept) or not sketch.fits([kept[at]], [case]):
            return f"the page computes {' '.join(case[:3])} otherwise than torch"
    return "the page computes less than torch"


class Verdict:
    """What `check` gives back."""

    def __init__(self, name, state, message):
        self.name = name
        self.state = state
        self.message = message
        self.passed = state == "right"
        self.answered = state != "unanswered"

    def __bool__(self):
        return self.passed

    def __repr__(self):
        mark = "✓" if self.passed else "✗" if self.answered else "○"
        return f"{mark} {self.name}: {self.message}"


def check(name, answer):
    """Check an answer to the exercise at hand."""
    if name != current.name:
        said = f"{name} is another exercise: check it in its own editor."
        current.verdict = current.verdict or Verdict(name, "error", said)
        return current.verdict
    current.load()
    state, message = current.judged(answer)
    if state == "wrong" and "gradient" in message:
        _, message = current.judged(answer, watched=True)
    current.verdict = Verdict(name, state, message)
    return current.verdict


class _Printing:
    """What a text prints, up to a limit."""

    def __init__(self):
        self.count = 0

    def __call__(self, *values, sep=" ", end="\n", file=None, flush=False):
        text = (sep or " ").join([_python.shown(value) for value in values])
        text += "\n" if end is None else end
        before = self.count
        self.count += len(text)
        if before < MOST:
            _python.print(text[: MOST - before], end="")
            if self.count >= MOST:
                _python.print("\n… (more is not shown)")
        if self.count > TOO_MUCH:
            raise Stopped("Your code prints without end: it was stopped.")


def run(name, text, given):
    """The verdict on a reader's text, as JSON: state, message, line.

    Args:
        name: of the exercise.
        text: what the reader has written.
        given: the exercise as JSON; see `Known`.
    """
    global current
    if name not in known:
        known[name] = Known(name, json.loads(given))
    current = known[name]
    current.verdict = None
    try:
        found = _run(text)
    except BaseException as error:
        found = _failed(error)
    return json.dumps(dict(zip(("state", "message", "line"), found)))


def _run(text):
    setup = current.setup if current.load() or _uses(text, current.setup) else ""
    names = reading.space(setup, text, current.name)
    names["__name__"] = "__main__"
    names["check"] = check
    names["print"] = _Printing()
    names["slice"] = _python.made_slice
    reading.run(text, reading.ANSWER, names)
    verdict = current.verdict
    if verdict is None:
        last = f'check("{current.name}", ...)'
        return (
            "error",
            f"Nothing has been checked: end your code with {last}, with your answer in "
            "place of the dots.",
            0,
        )
    return verdict.state, verdict.message, _line(verdict.message)


def _uses(text, setup):
    """Whether a text uses a name that the set-up defines."""
    words = set(_source.words(setup).split(" "))
    return any([word in words for word in _source.words(text).split(" ")])


def _line(message):
    number = reading.between(message, "in line ", " ")
    return int(number) if number and number.isdigit() else 0


def _failed(error):
    """What is said of an error that no check has caught."""
    kind = type(error).__name__
    if isinstance(error, (SyntaxError, IndentationError)):
        return _unreadable(error)
    if isinstance(error, Stopped):
        return "error", str(error), 0
    if isinstance(error, Missing):
        said = f"This exercise cannot be checked in the page ({error}): {COLAB}."
        return "missing", said, 0
    found = raised(error)
    if kind == "NotHere":
        return "missing", found["text"], found["line"]
    if kind == "OSError" and found["text"] == "44":
        said = f"The page has no files to open; {COLAB}."
        return "missing", said, found["line"]
    if kind == "MemoryError":
        said = "Your code needs more memory than the page has: make it smaller."
        return "error", said, found["line"]
    if isinstance(error, (ImportError, AttributeError)):
        name = reading.lacking(found["text"])
        if name:
            said = f"{name} is not there in the page; {COLAB}."
            return "missing", said, found["line"]
    said = found["type"] + (": " + found["text"] if found["text"] else "")
    line = found["line"]
    if line:
        said += f"\nin line {line} of your code"
        said += f": `{found['code']}`" if found["code"] else ""
    return "error", said + ".", line


def _unreadable(error):
    """What is said of a text that is no Python."""
    line = 0
    for file, number in reading.place(error):
        if file == reading.ANSWER:
            line = number
    lines = reading.TEXTS[reading.ANSWER].split("\n")
    words = str(error)
    if "unindent" in words:  # the line before is told
        line += 1
        while line < len(lines) and not lines[line - 1].strip():
            line += 1
    code = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    text = f"SyntaxError: {words}" if words else "SyntaxError"
    if line:
        text += f"\nin line {line} of your code" + (f": `{code}`" if code else "")
    help = _source.mended(reading.TEXTS[reading.ANSWER], line)
    return "error", f"{text}." + (" " + help if help else ""), line
