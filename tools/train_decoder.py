"""Train the small decoder anew, for some minutes on one core, when it shall change.

It leaves `src/layers_book/decoder.json`; `tests/helpers/test_decoder.py` asserts what
the book claims of it.
"""

import gzip
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from helpers import alice
from layers_book.decoder import ZERO

LETTERS = "\n !',-.:;?abcdefghijklmnopqrstuvwxyz"
E, LENGTH, LAYERS, HEADS = 48, 96, 2, 4
LEVELS = 45
STEPS, BATCH, RATE = 4000, 48, 3e-3
MADE_UP = 12  # of the pieces in a batch
TARGET = Path(__file__).parents[1] / "src" / "layers_book" / "decoder.json"


class Decoder(nn.Module):
    """As the page *Generation* writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), E)
        self.place = nn.Embedding(LENGTH, E)
        block = nn.TransformerEncoderLayer(
            E, HEADS, 4 * E, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(
            block, LAYERS, nn.LayerNorm(E), enable_nested_tensor=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores of each next letter, ``(N, L, letters)``, of letters ``(N, L)``."""
        length = x.shape[1]
        h = self.embed(x) + self.place.weight[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        h = self.blocks(h, mask=mask, is_causal=True)
        return F.linear(h, self.embed.weight)


def coded(text: str) -> Tensor:
    """The letters' indices, ``(L,)``."""
    return torch.tensor([LETTERS.index(letter) for letter in text])


def made_up(count: int, length: int, generator: Generator) -> Tensor:
    """Pieces ``(count, length)`` of two to four invented words, in random order."""

    def integer(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    first = LETTERS.index("a")
    pieces = []
    for _ in range(count):
        words = [
            torch.randint(first, len(LETTERS), (integer(3, 8),), generator=generator)
            for _ in range(integer(2, 5))
        ]
        piece: list[int] = []
        while len(piece) < length:
            word: list[int] = words[integer(0, len(words))].tolist()
            piece += [*word, LETTERS.index(" ")]
        pieces.append(piece[:length])
    return torch.tensor(pieces)


def trained() -> Decoder:
    """Train from one seed."""
    torch.manual_seed(0)
    generator = Generator().manual_seed(0)
    net, text = Decoder(), coded(alice()[0])
    for weight in (net.embed.weight, net.place.weight):
        nn.init.normal_(weight, std=0.1)
    for weight in net.blocks.parameters():
        if weight.dim() == 2:
            nn.init.xavier_uniform_(weight)
    optimizer = torch.optim.AdamW(
        net.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.05
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.05)
    for step in range(1, STEPS + 1):
        starts = torch.randint(
            len(text) - LENGTH, (BATCH - MADE_UP, 1), generator=generator
        )
        pieces = text[starts + torch.arange(LENGTH + 1)]
        x = torch.cat([pieces, made_up(MADE_UP, LENGTH + 1, generator)])
        loss = F.cross_entropy(net(x[:, :-1]).transpose(1, 2), x[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        rate.step()
        if step % 200 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    return net


def store(state: dict[str, Tensor]) -> None:
    """Round each row of a matrix, and each vector, to 91 levels, and write them."""
    shapes, scales, letters = {}, {}, []
    for name, value in state.items():
        rows = value.view(len(value) if value.dim() > 1 else 1, -1)
        shapes[name] = list(value.shape)
        largest = rows.abs().amax(1).tolist()
        scales[name] = [float(f"{value / LEVELS:.3g}") for value in largest]
        steps = rows / torch.tensor(scales[name])[:, None]
        steps = steps.round().clamp(-LEVELS, LEVELS)
        letters += [chr(ZERO + int(step)) for step in steps.flatten().tolist()]
    file = {"letters": LETTERS, "heads": HEADS, "shapes": shapes, "scales": scales}
    text = json.dumps(file | {"numbers": "".join(letters)}, separators=(",", ":"))
    TARGET.write_text(f"{text}\n", "utf8")
    packed = len(gzip.compress(text.encode()))
    print(f"{TARGET.name}: {len(text):,} bytes, {packed:,} gzip")


if __name__ == "__main__":
    torch.set_num_threads(1)
    store(trained().state_dict())
