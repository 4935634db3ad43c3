"""An exercise as its module writes it: what a page needs of it."""

from layers_book.checking.recording import record
from layers_book.checking.runs import Run
from layers_book.reading import defined, space, tidy


class Mistake:
    """A typical wrong answer, and the sentence that helps whoever gives it."""

    def __init__(self, hint, edits=(), answer=None, name="", loses=()):
        self.hint = hint


class Exercise:
    """What is asked, and how an answer is checked."""

    def __init__(
        self,
        name,
        solution,
        run,
        mistakes=(),
        reference=None,
        forbid=(),
        answer="",
        setup="",
    ):
        self.name = name
        self.solution = tidy(solution)
        self.setup = tidy(setup)
        self.forbid = forbid
        self.answer = answer
        self.hints = [m.hint if isinstance(m, Mistake) else m[-1] for m in mistakes]
        runs = [run] if isinstance(run, Run) else run
        self.configurations = [(r, at) for r in runs for at in range(r.configurations)]

    def record(self, answer, index, forbid=True, watch=None, lenient=False):
        """What an answer does in a configuration, as plain data."""
        run, number = self.configurations[index]
        parts = self.forbid if forbid else ()
        return record(run.ask(answer, number), parts, run.tolerance, watch, lenient)

    def solved(self):
        """What the printed solution gives."""
        names = space(self.setup, self.solution, self.name)
        return defined(self.solution, names, self.answer)
