"""The trained decoder that the package ships does what the book says of it."""

import gzip

import pytest
import torch
import torch.nn.functional as F
from torch import Generator

import train_decoder
from helpers import alice, figures, trained_decoder
from layers_book.decoder import stored


@pytest.fixture(scope="module")
def net():
    found = train_decoder.Decoder()
    found.load_state_dict(trained_decoder())
    return found.eval().requires_grad_(False)


def bits(net, x, first=0):
    """Mean bits per letter of ``x (N, L + 1)``, from the letter ``first`` on."""
    scores = net(x[:, :-1]).transpose(1, 2)[..., first:]
    return (F.cross_entropy(scores, x[:, first + 1 :]) / torch.tensor(2.0).log()).item()


def test_bits_per_letter_of_chapters_it_never_saw(net):
    x = train_decoder.coded(alice()[1])
    pieces = x[: len(x) // 97 * 97].view(-1, 97)
    assert 2.1 < bits(net, pieces) < 2.3


def test_made_up_words_that_come_again(net):
    pieces = train_decoder.made_up(100, 97, Generator().manual_seed(9))
    letters = len(train_decoder.LETTERS)
    strange = torch.randint(10, letters, (100, 97), generator=Generator())
    assert bits(net, pieces, 48) < 0.8 < 4 < bits(net, strange, 48)


def test_heads_of_the_second_block_find_what_followed_earlier():
    figure = figures.TrainedAttention()
    text, (weights, _) = figure.values["text"], figure.attended()
    after = torch.tensor(
        [[j and text[j - 1] == c for j in range(len(text))] for c in text]
    )
    after &= torch.ones_like(after).tril()
    asked = after.any(1)
    found = (weights * after).sum(-1)[..., asked].mean(-1)  # (blocks, heads)
    even = (after.sum(1) / torch.arange(1, len(text) + 1))[asked].mean()
    assert (found[0] < 0.15).all() and (found[1] > 0.4).all() and even < 0.15


def test_each_row_reaches_its_largest_level():
    scales = stored()["scales"]
    for name, value in trained_decoder().items():
        rows = value.view(len(scales[name]), -1)
        largest = 45 * torch.tensor(scales[name])
        torch.testing.assert_close(rows.abs().amax(1), largest)


def test_it_is_small():
    assert len(gzip.compress(figures.TrainedAttention.data().encode())) < 60_000
