"""What `make test device=fake` refuses is what a GPU refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
HEAD = """
import json, sys, fake_gpu, torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from helpers import assert_same, begin
device = begin()
x, y = torch.ones(2, 3).to(device), torch.ones(2, 3)
layer, gru = nn.Linear(3, 3).to(device), nn.GRU(3, 2, batch_first=True).to(device)
index, padded = torch.tensor([0]), torch.ones(1, 2, 3).to(device)
def outcome(code):
    try:
        return str(eval(code))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
print(json.dumps({code: outcome(code) for code in json.load(sys.stdin)}))
"""
EXPECTED = {
    "device": "cuda",
    "(x + 1).device": "cuda:0",
    "x.cpu().device": "cpu",
    "torch.zeros(2, device=x.device).is_cuda": "True",
    "layer.weight.is_cuda, layer(x).is_cuda, gru(padded)[0].is_cuda": "True",
    "nn.Linear(3, 3).to(x)(x).device": "cuda:0",
    "nn.Parameter(x).device": "cuda:0",
    "x[index].device": "cuda:0",
    "(x * torch.tensor(2.0)).device": "cuda:0",
    "x.sum().item()": "6.0",
    "pack_padded_sequence(padded, [2], True).batch_sizes.device": "cpu",
    "assert_same(x.cpu(), y)": "None",
    "x + y": "two devices, cuda:0 and cpu",
    "layer(y)": "two devices",
    "nn.Linear(3, 3).to(device).cpu()(x)": "two devices",
    "torch.cat([x, y])": "two devices",
    "x.numpy()": "TypeError: can't convert",
    "x": "cuda:0",
}


@pytest.fixture(scope="module")
def outcomes():
    done = subprocess.run(
        [sys.executable, "-c", HEAD],
        cwd=FOLDER,
        input=json.dumps(list(EXPECTED)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("code", EXPECTED)
def test_a_tensor_there_and_one_here_are_told_apart(code, outcomes):
    assert EXPECTED[code] in outcomes[code]
