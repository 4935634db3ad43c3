"""begin(), the digits, and what the package is."""

import importlib.metadata
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from torch import nn

import helpers
from helpers import alice, begin, digits, layer_names


def test_begin_makes_a_page_repeatable(monkeypatch, capsys):
    monkeypatch.setenv("LAYERS_BOOK_DEVICE", "cpu")
    assert begin() == torch.device("cpu")
    first = torch.randn(4)
    begin()
    assert torch.equal(first, torch.randn(4))
    begin(1)
    assert not torch.equal(first, torch.randn(4))
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not mpl.rcParams["axes.spines.top"]
    assert capsys.readouterr() == ("", "")


def test_a_wrong_device_is_named(monkeypatch):
    monkeypatch.setenv("LAYERS_BOOK_DEVICE", "tpu")
    with pytest.raises(ValueError, match=r"LAYERS_BOOK_DEVICE='tpu'.*'cpu', 'cuda'"):
        begin()


def test_cuda_is_not_replaced_silently(monkeypatch):
    monkeypatch.setenv("LAYERS_BOOK_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="sees no GPU"):
        begin()


def test_digits_are_those_of_the_source():
    x_train, y_train, x_test, y_test = digits()
    assert x_train.shape == (1200, 1, 8, 8)
    assert x_test.shape == (597, 1, 8, 8)
    counts = (y_train.bincount() + y_test.bincount()).tolist()
    # the counts by class that the repository's description of the test set gives
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (x_train.min(), x_train.max()) == (0, 1)
    assert digits(torch.float32)[0].dtype == torch.float32


def test_alice_is_one_text_in_few_characters():
    train, test = alice()
    assert set(train) == set(test) and len(set(train)) == 36
    assert not train.endswith("\n") and test.startswith("the king and queen")
    for text in (train, test):
        assert not any(pair in text for pair in ("  ", "\n\n", " \n", "\n "))


def test_layer_names_are_those_of_torch():
    train, test = layer_names()
    assert (len(train), len(test)) == (130, 32)
    assert len({*train, *test}) == 162
    for name in train + test:
        assert issubclass(getattr(nn, name), nn.Module), name


def test_the_imported_helpers_are_ours():
    ours = importlib.metadata.distribution("torch-layers-book")
    assert "Private :: Do Not Upload" in ours.metadata.get_all("Classifier")
    assert "torch-layers-book" in Path(helpers.__file__).read_text("utf8")
    assert (Path(helpers.__file__).parent / "py.typed").exists()


def test_every_public_name_exists_and_is_documented():
    for name in helpers.__all__:
        assert getattr(helpers, name).__doc__, name
