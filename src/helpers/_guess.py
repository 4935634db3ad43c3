"""Questions whose answer a reader guesses before it is shown."""

from collections.abc import Mapping
from html import escape


class Guess:
    """A question's answer and what other guesses mean, as a notebook shows them."""

    def __init__(self, answer: str, kind: str, options: Mapping[str, str]) -> None:
        self.answer = answer
        self.kind = kind
        self.options = options

    def __repr__(self) -> str:
        return "\n".join(
            [f"Answer: {self.answer}", *map(": ".join, self.options.items())]
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<dt>{escape(option)}</dt><dd>{escape(sentence)}</dd>"
            for option, sentence in self.options.items()
        )
        return (
            f'<div class="guess" data-kind="{self.kind}" '
            f'data-answer="{escape(self.answer)}">'
            f"<p>Answer: <b>{escape(self.answer)}</b></p><dl>{rows}</dl></div>"
        )


def guess(
    answer: str | float, options: Mapping[str, str] | Mapping[float, str]
) -> Guess:
    """Let the reader guess before a cell's output: the last line of a question cell.

    The book's page asks, and unfolds the output of the cell before, and the text after,
    once the reader has committed; a notebook shows the answer and the sentences.

    Args:
        answer: computed by the page, never typed. A text: the reader chooses among
            ``options``. A number: the reader enters one.
        options: a sentence for each choice, the right one included, or for each
            typical wrong number.

    Raises:
        ValueError: fewer than two choices, or an ``answer`` that is none of them.

    >>> guess(2 + 3, {6: "That is 2 times 3."})
    Answer: 5
    6: That is 2 times 3.
    """
    if isinstance(answer, str):
        if answer not in options or len(options) < 2:
            raise ValueError(
                f"answer is {answer!r}, options are {list(options)}: give "
                "at least two, the answer among them"
            )
        return Guess(answer, "choice", {str(k): v for k, v in options.items()})
    return Guess(f"{answer:g}", "number", {f"{k:g}": v for k, v in options.items()})
