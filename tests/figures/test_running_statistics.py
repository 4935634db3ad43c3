"""RunningStatistics: 200 steps of the JavaScript engine against nn.BatchNorm1d."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from helpers import figures
from layers_book.figures.running_statistics import standard

RUN = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-running-statistics"];
  return list.map((given) => engine.run({ ...defaults, ...given }).steps);
}"""


def batches(state: dict[str, Any]) -> list[tuple[torch.Tensor, float | None, bool]]:
    out, position = [], 0
    for count, size, momentum, shift, scale, training in state["log"]:
        for _ in range(count):
            if own := state.get("values"):
                z = [own[(position + i) % len(own)] for i in range(size)]
            else:
                z = standard(state.get("seed", 0), len(out), size)
            position += size
            x = torch.tensor([[shift + scale * v] for v in z], dtype=torch.float64)
            out.append((x, momentum, bool(training)))
    return out


def golden(state: dict[str, Any]) -> list[dict[str, float]]:
    """A torch layer that really sees each batch."""
    bn = nn.BatchNorm1d(1).double()
    alone = nn.BatchNorm1d(1, affine=False, track_running_stats=False)
    steps = []
    for x, momentum, training in batches(state):
        bn.momentum = momentum
        before = bn.running_mean.item()
        bn.train(training)(x)
        probe = torch.cat([torch.full((1, 1), 4.0, dtype=torch.float64), x[1:]])
        steps.append(
            {
                "before": before,
                "mean": x.mean().item(),
                "biased": x.var(correction=0).item(),
                "running_mean": bn.running_mean.item(),
                "running_var": bn.running_var.item(),
                "train": alone(probe)[0].item() if len(x) > 1 else None,
                "eval": bn.eval()(probe)[0].item(),
            }
        )
    return steps


SETTINGS = [
    {"log": [[200, size, momentum, 5.5 - size, 16 / size, 1]], "seed": size}
    for size, momentum in itertools.product((2, 5, 32), (None, 0.0, 0.01, 0.1, 1.0))
] + [
    {
        "log": [
            [90, 8, 0.1, 3.0, 2.0, 1],
            [20, 1, 0.1, 3.0, 2.0, 0],
            [90, 4, None, 8, 1, 1],
        ]
    },
    {
        "log": [[200, 5, 0.3, 0.0, 1.0, 1]],
        "values": [0.5, -1.25, 3.0, 7.5, -2.0, 0.125, 9],
    },
]


def test_engine_is_torch_over_200_steps(evaluate: Callable[..., Any]) -> None:
    found = evaluate(RUN, SETTINGS)
    for state, got in zip(SETTINGS, found, strict=True):
        want = golden(state)
        assert len(want) == len(got) == 200
        for key in want[0]:
            ours, torchs = ([step[key] for step in track] for track in (got, want))
            np.testing.assert_allclose(
                np.array(ours, dtype=float),
                np.array(torchs, dtype=float),
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{key} {state['log']}",
            )


def test_stored_variance_is_the_unbiased_one(evaluate: Callable[..., Any]) -> None:
    """The comparison is able to fail: with the biased variance the track differs."""
    (steps,) = evaluate(RUN, [{"log": [[1, 4, 1.0, 0.0, 1.0, 1]]}])
    assert steps[0]["running_var"] == pytest.approx(steps[0]["biased"] * 4 / 3)


def test_generator_is_the_same_in_both_languages(evaluate: Callable[..., Any]) -> None:
    pairs = [(seed, step) for seed in (0, 1, 2**32 - 1) for step in (0, 1, 199)]
    found = evaluate(
        """(pairs) => pairs.map(([seed, step]) =>
          nnFigures.specs["nn-running-statistics"].engine.standard(seed, step, 40))""",
        pairs,
    )
    assert found == [standard(*pair, 40) for pair in pairs]
    everything = torch.tensor([standard(7, step, 50) for step in range(400)])
    assert abs(everything.mean()) < 0.03
    assert abs(everything.std() - 1) < 0.02
    assert abs(everything.mean(1).std() * 50**0.5 - 1) < 0.1


def test_python_tracks_are_the_engines(evaluate: Callable[..., Any]) -> None:
    figure = figures.RunningStatistics(4, None, steps=30).step(30, shift=9.0)
    (steps,) = evaluate(RUN, [figure.state])
    tracks = figure.tracks()
    for key in ("mean", "running_mean", "running_var", "train", "eval"):
        assert tracks[key] == pytest.approx([s[key] for s in steps], rel=1e-9)
    state = figure.layer.state_dict()
    assert state["running_mean"].item() == pytest.approx(steps[-1]["running_mean"])
    assert state["num_batches_tracked"] == 60


@pytest.mark.parametrize("momentum", [None, 0.1])
def test_copied_code_runs(momentum: float | None, evaluate: Callable[..., Any]) -> None:
    figure = figures.RunningStatistics(momentum=momentum, steps=25)
    code, want = evaluate(
        """(given) => {
          const { engine, defaults } = nnFigures.specs["nn-running-statistics"];
          const S = { ...defaults, ...given };
          return [engine.code(S), engine.run(S).eval];
        }""",
        figure.state,
    )
    names = {"torch": torch, "nn": nn}
    *lines, last = code.splitlines()
    exec("\n".join(lines), names)
    assert eval(last, names).item() == pytest.approx(want, rel=1e-5)
    assert names["bn"].momentum == momentum


def test_batch_of_one_is_refused_in_torchs_words(evaluate: Callable[..., Any]) -> None:
    with pytest.raises(ValueError) as error:
        nn.BatchNorm1d(1)(torch.zeros(1, 1))
    found = evaluate(
        """() => {
          const { engine, defaults } = nnFigures.specs["nn-running-statistics"];
          const S = { ...defaults, batch_size: 1 };
          return [engine.error(S), engine.extend(S, 5).length,
            engine.extend({ ...S, training: false }, 5).length]; }"""
    )
    assert found == [{"type": "ValueError", "text": str(error.value)}, 0, 1]
    figure = figures.RunningStatistics(batch_size=1, steps=0)
    assert str(error.value) in figure.fallback()
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        figure.step()


def test_log_joins_equal_settings_and_ends_at_200(evaluate: Callable[..., Any]) -> None:
    log = evaluate(
        """() => {
          const { engine, defaults } = nnFigures.specs["nn-running-statistics"];
          const S = { ...defaults };
          for (const [n, shift] of [[1, 3], [10, 3], [10, 5], [500, 5], [1, 5]]) {
            S.shift = shift; S.log = engine.extend(S, n); }
          return S.log; }"""
    )
    assert log == [[11, 8, 0.1, 3, 2, 1], [189, 8, 0.1, 5, 2, 1]]
    figure = figures.RunningStatistics(steps=1).step(10).step(189, shift=5.0)
    assert figure.state["log"] == log


def test_the_readers_layer_and_numbers() -> None:
    bn = nn.BatchNorm1d(1, momentum=0.5, eps=0.01)
    with torch.no_grad():
        bn.running_mean.fill_(7)
    figure = figures.RunningStatistics(layer=bn, steps=0, training=False)
    x = torch.tensor([[4.0]], dtype=torch.float64)
    torch.testing.assert_close(figure.layer(x), bn.double().eval()(x))
    data = figures.RunningStatistics(2, data=torch.tensor([1.0, 2, 3]), steps=2)
    assert data.tracks()["mean"] == [1.5, 2.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0: allowed are 1 to 32"),
        ({"momentum": 2}, "momentum is 2: allowed are 0 to 1, or None"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"steps": 201}, "steps is 201"),
        ({"layer": nn.BatchNorm1d(2)}, "allowed is an nn.BatchNorm1d(1)"),
        ({"data": torch.zeros(1)}, "data has 1 values"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as error:
        figures.RunningStatistics(**arguments)
    assert words in str(error.value)
    with pytest.raises(ValueError, match="setting 'lr'"):
        figures.RunningStatistics().step(lr=1)
