"""Exercises of the page attention/generation."""

from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
)

NUCLEUS = Exercise(
    name="generation/nucleus",
    solution="""
        answer = [0.64, 0.36, 0, 0]
    """,
    run=value_run(),
    mistakes=[
        (
            "[0.64, 0.36, 0, 0]",
            "[0.16 / 0.3, 0.09 / 0.3, 0, 0]",
            "You keep the right letters, but their probabilities add up to 0.83: "
            "divide by that.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[4 / 9, 3 / 9, 2 / 9, 0]",
            "You leave the temperature out: dividing the scores by 0.5 squares the "
            "probabilities, up to a common factor.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[4 / 7, 3 / 7, 0, 0]",
            "You keep the right letters, with the probabilities of T = 1: the "
            "temperature changes their ratio to 16 : 9.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[0.16 / 0.29, 0.09 / 0.29, 0.04 / 0.29, 0]",
            "You cut first and apply the temperature then: after it the first two add "
            "up to 0.83, and the third is not needed.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[0.16 / 0.3, 0.09 / 0.3, 0.04 / 0.3, 0.01 / 0.3]",
            "You apply the temperature and cut nothing: the first two add up to 0.83, "
            "which is enough.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[1, 0, 0, 0]",
            "Your one letter has 0.53, less than 0.8: top-p also takes the letter that "
            "reaches p.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[0.38874, 0.33666, 0.27460, 0]",
            "You multiply the scores by 0.5, which is T = 2: divide them.",
        ),
        (
            "[0.64, 0.36, 0, 0]",
            "[0.64, 0.36]",
            "You give two numbers: give four, with 0 for a letter that is cut.",
        ),
    ],
)

BYTES = Exercise(
    name="generation/bytes",
    solution="""
        width, size = 4 * 128, 2
        answer = 2 * 24 * 8 * 1000 * width * size
    """,
    run=value_run(),
    mistakes=[
        (
            "2 * 24 *",
            "24 *",
            "Your number is half: keys and values are both kept, and a number of "
            "float16 has two bytes.",
        ),
        (
            "4 * 128",
            "12 * 128",
            "You keep keys and values for 12 heads: three query heads share one, so "
            "4 are kept.",
        ),
        (
            "4 * 128",
            "12 * 128",
            "2 * 24 *",
            "24 *",
            "You keep E numbers a place: there are keys and values, and both have 4 "
            "heads only.",
        ),
        (
            "128, 2",
            "128, 4",
            "You take 4 bytes for a number: float16 has 2.",
        ),
        (
            "128, 2",
            "128, 8",
            "You take 8 bytes for a number: float16 has 2.",
        ),
        (
            " * 8 *",
            " *",
            "You count one text: there are 8, each with keys of its own.",
        ),
        (
            "24 * 8",
            "8",
            "You count one block: each of the 24 has keys and values of its own.",
        ),
        (
            "4 * 128",
            "128",
            "You count one head of keys and values: there are 4.",
        ),
        (
            "1000 *",
            "1000 * 1000 *",
            "Your number grows with the square of the length: scores are not kept, "
            "keys and values are.",
        ),
        (
            "4 * 128",
            "(2 * 4 + 12) * 128 / 2",
            "You keep the queries as well: an earlier query has done its work.",
        ),
        (
            "width * size",
            "width * size / 1e6",
            "You give megabytes: bytes are asked for.",
        ),
    ],
)


def _new_letters(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Queries, keys and values of L new letters, and of those before."""
    index = generator.initial_seed()
    n, heads, d = distinct(generator, 3)
    new, old = ((2, 3), (1, 4), (3, 2), (2, 1), (2, 2), (4, 1), (3, 5), (1, 1))[
        index % 8
    ]
    shapes = [(n, heads, length, d) for length in (new, new, new, old, old)]
    return tuple(signed(generator, *s).requires_grad_() for s in shapes), {}


ATTEND = Exercise(
    name="generation/cached_attention",
    solution="""
        def attend(q, k, v, kept_k, kept_v):
            k = torch.cat([kept_k, k], 2)
            v = torch.cat([kept_v, v], 2)
            L, S = q.shape[2], k.shape[2]
            sees = torch.ones(L, S).tril(S - L).bool()
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
            return y, k, v
    """,
    run=function_run(
        _new_letters, names=("q", "k", "v", "kept_k", "kept_v"), configurations=8
    ),
    mistakes=[
        (
            "attn_mask=sees",
            "is_causal=True",
            "Your first new letter sees the first key alone, as with tril(): "
            "is_causal=True sets the corner there. Pass a mask whose last row sees "
            "all, tril(S - L).",
        ),
        (
            "tril(S - L)",
            "tril(L - S)",
            "You shift the diagonal the wrong way: the last row must see all, "
            "tril(S - L).",
        ),
        (
            "tril(S - L)",
            "tril(S - L - 1)",
            "No new letter of yours sees itself: the diagonal is one too low.",
        ),
        (
            "tril(S - L)",
            "tril(S - L + 1)",
            "Each new letter sees the one after it: the diagonal is one too high.",
        ),
        (
            "tril(S - L)",
            "triu(S - L)",
            "Your letters see those after them: the lower part is wanted, tril.",
        ),
        (
            "attn_mask=sees",
            "attn_mask=~sees",
            "Your mask is the wrong way round: True means may attend here.",
        ),
        (
            ", attn_mask=sees",
            "",
            "Without a mask the first of several new letters sees the later ones.",
        ),
        (
            "[kept_k, k]",
            "[k, kept_k]",
            "[kept_v, v]",
            "[v, kept_v]",
            "You put the new keys and values in front: they come after those kept.",
        ),
        (
            "[kept_k, k]",
            "[k, kept_k]",
            "You put the new keys in front and the new values behind: a key and its "
            "value need the same place.",
        ),
        (
            "[kept_v, v]",
            "[v, kept_v]",
            "You put the new values in front and the new keys behind: a key and its "
            "value need the same place.",
        ),
        (
            """
            def attend(q, k, v, kept_k, kept_v):
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                return y, torch.cat([kept_k, k], 2), torch.cat([kept_v, v], 2)
            """,
            "Your new letters see each other alone: put the kept keys and values in "
            "front before you attend.",
        ),
        (
            "return y, k, v",
            "return y, kept_k, kept_v",
            "You return the keys and values that you were given: the new ones are to "
            "be kept, too.",
        ),
        (
            "return y, k, v",
            "return y, k[:, :, -L:], v[:, :, -L:]",
            "You return the new keys and values alone: the old ones must be kept.",
        ),
        (
            "return y, k, v",
            "return y",
            "You return the output alone: return y, k, v.",
        ),
        (
            "return y, k, v",
            "return y, v, k",
            "You return the values before the keys.",
        ),
        (
            "return y, k, v",
            "return y, k.detach(), v.detach()",
            "The numbers are right, the gradient is not: do not detach what you keep.",
        ),
        (
            "return y, k, v",
            "return y[:, :, -1:], k, v",
            "You return the last letter's output only: return one for each query.",
        ),
        (
            "attn_mask=sees)",
            "attn_mask=sees, scale=1.0)",
            "Your scores are not divided by the root of d.",
        ),
    ],
)


def _scores(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, letters = (3, 1, 4)[index % 3], (6, 9, 5, 8)[index % 4]
    size = (2.0, 0.7, 4.0)[index % 3]
    scores = size * torch.randn(n, letters, generator=generator, dtype=torch.float64)
    return (scores, (0.1, 0.3, 1.0, 0.05, 0.0, 0.5)[index % 6]), {}


MIN_P = Exercise(
    name="generation/min_p",
    solution="""
        def min_p(scores, share):
            p = scores.softmax(-1)
            least = share * p.amax(-1, keepdim=True)
            p = p.masked_fill(p < least, 0)
            return p / p.sum(-1, keepdim=True)
    """,
    run=function_run(_scores, names=("scores", "share"), configurations=8),
    mistakes=[
        (
            "p / p.sum(-1, keepdim=True)",
            "p",
            "The probabilities of your kept letters do not add up to 1: divide by "
            "their sum.",
        ),
        (
            "share * p.amax(-1, keepdim=True)",
            "share",
            "You compare with the share itself: it is a share of the likeliest "
            "letter's probability.",
        ),
        (
            "p.amax(-1, keepdim=True)",
            "p.amax()",
            "You take the largest probability of all rows: each row has its own.",
        ),
        (
            "p.amax(-1, keepdim=True)",
            "p.amax(0, keepdim=True)",
            "You take the largest over the rows: over the letters, the last axis.",
        ),
        (
            "p < least",
            "p > least",
            "You cut the likely letters and keep the others.",
        ),
        (
            "p < least",
            "p <= least",
            "With share = 1 the likeliest letter goes as well: one that reaches the "
            "limit is kept.",
        ),
        (
            "p.masked_fill(p < least, 0)",
            "p.masked_fill(p < least, 0).softmax(-1)",
            "You take a softmax of probabilities: divide by the sum, which keeps "
            "their ratios.",
        ),
        (
            "p.masked_fill(p < least, 0)",
            "scores.masked_fill(p < least, 0).softmax(-1)",
            "You give the cut letters the score 0, which softmax turns into a "
            "probability: −∞ gives none.",
        ),
        (
            "p = scores.softmax(-1)",
            "p = scores.softmax(0)",
            "Your softmax runs over the rows: it runs over the letters, the last axis.",
        ),
        (
            "p.amax(-1, keepdim=True)",
            "p.mean(-1, keepdim=True)",
            "You compare with the mean: compare with the largest.",
        ),
        (
            "p.sum(-1, keepdim=True)",
            "p.sum()",
            "You divide by the sum of all rows: each row adds up to 1.",
        ),
        (
            """
            def min_p(scores, share):
                least = share * scores.amax(-1, keepdim=True)
                return scores.masked_fill(scores < least, -torch.inf).softmax(-1)
            """,
            "You compare scores: compare probabilities, after the softmax.",
        ),
        (
            """
            def min_p(scores, share):
                p, order = scores.softmax(-1).sort(descending=True)
                p = p.masked_fill(p.cumsum(-1) - p >= 1 - share, 0)
                p = torch.zeros_like(p).scatter(-1, order, p)
                return p / p.sum(-1, keepdim=True).clamp(min=1e-12)
            """,
            "That is top-p with 1 - share: here each letter is compared with the "
            "likeliest one.",
        ),
        (
            """
            def min_p(scores, share):
                p, order = scores.softmax(-1).sort(descending=True)
                p = p.masked_fill(p < share * p[:, :1], 0)
                return p / p.sum(-1, keepdim=True)
            """,
            "Your probabilities are sorted: return them in the order of the letters.",
        ),
    ],
)


class _Model:
    """A decoder's stand-in: scores of the next letter from the mean of those so far."""

    def __init__(self, embed: Tensor, out: Tensor) -> None:
        self.embed, self.out = embed, out

    def __call__(self, x: Tensor) -> Tensor:
        if len(x.shape) != 2:
            raise ValueError(f"the model takes ids (N, L), not {tuple(x.shape)}")
        count = torch.arange(1, x.shape[1] + 1)[:, None]
        h = self.embed[x].cumsum(1) / count + self.embed[x]
        return h @ self.out

    def __repr__(self) -> str:
        return f"a model of {len(self.embed)} letters"


def _texts(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    letters = 7
    embed, out = signed(generator, letters, 3), signed(generator, 3, letters)
    prompt, text = (
        torch.randint(letters, (length,), generator=generator)
        for length in ((3, 4), (1, 5), (4, 1), (2, 2), (5, 3), (1, 1))[index % 6]
    )
    return (_Model(embed, out), prompt, text), {}


SURPRISE = Exercise(
    name="generation/surprise",
    solution="""
        def surprise(net, prompt, text):
            x = torch.cat([prompt, text])[None]
            scores = net(x[:, :-1])[0, len(prompt) - 1 :]
            return F.cross_entropy(scores, text) / math.log(2)
    """,
    run=function_run(
        _texts, names=("net", "prompt", "text"), float32=False, configurations=6
    ),
    mistakes=[
        (
            " / math.log(2)",
            "",
            "You give nats: a bit is ln 2 of them, so divide by math.log(2).",
        ),
        (
            " / math.log(2)",
            " * math.log(2)",
            "You multiply by ln 2: divide, since a bit is ln 2 nats.",
        ),
        (
            " / math.log(2)",
            " / math.log(10)",
            "You divide by ln 10: bits are powers of 2.",
        ),
        (
            "scores, text)",
            "scores, text, reduction='sum')",
            "You add up all letters: the mean is asked for.",
        ),
        (
            "[0, len(prompt) - 1 :]",
            "[0]",
            "scores, text)",
            "scores, x[0, 1:])",
            "You count the prompt's letters as well: only those of the text.",
        ),
        (
            "x[:, :-1]",
            "x",
            "len(prompt) - 1 :",
            "len(prompt) :",
            "You take each letter's scores from its own place, where the model has "
            "seen it: the place before guesses it.",
        ),
        (
            "torch.cat([prompt, text])",
            "torch.cat([text, prompt])",
            "You put the text before the prompt.",
        ),
        (
            """
            def surprise(net, prompt, text):
                scores = [net(torch.cat([prompt, text[i : i + 1]])[None, :-1])[0, -1]
                          for i in range(len(text))]
                return F.cross_entropy(torch.stack(scores), text) / math.log(2)
            """,
            "Your letters are guessed from the prompt alone: each sees the letters of "
            "the text before it, too.",
        ),
        (
            """
            def surprise(net, prompt, text):
                x = torch.cat([prompt, text])[None]
                scores = [net(x[:, i : i + 1])[0, 0]
                          for i in range(len(prompt) - 1, x.shape[1] - 1)]
                return F.cross_entropy(torch.stack(scores), text) / math.log(2)
            """,
            "Your model sees the letter before only: give it all that came before.",
        ),
        (
            "torch.cat([prompt, text])",
            "torch.cat([prompt[-1:], text])",
            "len(prompt) - 1 :",
            "0:",
            "You give the model the last letter of the prompt only: give it all.",
        ),
        (
            "F.cross_entropy(scores, text) / math.log(2)",
            "-scores.softmax(-1).gather(1, text[:, None]).mean().log2()",
            "You take the logarithm of the mean: the mean of the logarithms is asked "
            "for.",
        ),
        (
            "return F",
            "return -F",
            "Your bits are negative: a probability below 1 has a negative logarithm, "
            "and the sign is turned.",
        ),
        (
            "F.cross_entropy(scores, text) / math.log(2)",
            "F.cross_entropy(scores, text).exp()",
            "That is the perplexity: bits are its base-2 logarithm.",
        ),
        (
            "F.cross_entropy(scores, text) / math.log(2)",
            "-scores.gather(1, text[:, None]).mean() / math.log(2)",
            "You take scores for logarithms of probabilities: log_softmax comes first.",
        ),
    ],
)

KEPT = Exercise(
    name="generation/kept",
    setup="""
        def top_p(share):
            def choose(scores):
                p, order = scores.softmax(-1).sort(descending=True)
                ahead = p.cumsum(-1) - p  # what the likelier ones add up to
                p = p.masked_fill(ahead >= share, 0)
                p = p / p.sum(-1, keepdim=True)
                return torch.zeros_like(p).scatter(-1, order, p)

            return choose
    """,
    solution="""
        def kept(T, seed):
            torch.manual_seed(seed)
            scores = 3 * torch.randn(20, 36)
            return (top_p(0.9)(scores / T) > 0).sum(-1).double().mean()


        warm = [kept(1, seed) for seed in range(8)]
        cold = [kept(0.5, seed) for seed in range(8)]
        difference = torch.tensor(warm) - torch.tensor(cold)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("warm", "cold"),
    answer="answer",
    mistakes=[
        (
            "scores / T",
            "scores * T",
            "You multiply the scores by T, or compare with T = 2: divide them by 1 "
            "and by 0.5.",
        ),
        (
            "top_p(0.9)",
            "top_p(0.5)",
            "You keep a share of 0.5: the prompt asks for 0.9.",
        ),
        (
            ".sum(-1).double().mean()",
            ".sum().double()",
            "You add up the letters of all 20 rows: their mean is asked for.",
        ),
        (
            ".sum(-1).double().mean()",
            ".double().mean()",
            "You give the share of the letters kept: their number is asked for.",
        ),
        (
            "3 * torch",
            "torch",
            "Your scores lack the factor 3.",
        ),
    ],
)

EXERCISES = (NUCLEUS, BYTES, ATTEND, MIN_P, SURPRISE, KEPT)
