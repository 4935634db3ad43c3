"""Shapes and counts, against torch's own forward pass and against arithmetic."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers import output_shape, parameter_count

sizes = st.integers(1, 6)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 5), groups=sizes, per_group=sizes, length=st.integers(2, 6))
def test_normalization_keeps_the_shape(n, groups, per_group, length):
    channels = groups * per_group
    shape = (n, channels, length)
    for layer in (
        nn.BatchNorm1d(channels),
        nn.GroupNorm(groups, channels),
        nn.InstanceNorm1d(channels),
        nn.LayerNorm((channels, length)),
    ):
        assert output_shape(layer, shape) == tuple(layer(torch.randn(shape)).shape)


@settings(max_examples=60, deadline=None)
@given(channels=sizes, length=sizes, affine=st.booleans())
def test_parameter_counts_of_the_family(channels, length, affine):
    learned = 2 * channels * affine
    assert parameter_count(nn.BatchNorm2d(channels, affine=affine)).total == learned
    assert parameter_count(nn.GroupNorm(1, channels, affine=affine)).total == learned
    assert parameter_count(nn.InstanceNorm2d(channels)).total == 0
    layer = nn.LayerNorm((channels, length), elementwise_affine=affine)
    assert parameter_count(layer).total == learned * length
    assert parameter_count(nn.RMSNorm(channels)).total == channels


def test_shared_parameters_count_once():
    linear = nn.Linear(3, 3)
    assert parameter_count(nn.Sequential(linear, nn.ReLU(), linear)).total == 12


def test_the_layer_is_left_as_it_is():
    layer = nn.BatchNorm1d(3)
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    output_shape(layer, (4, 3))
    for name, value in layer.state_dict().items():
        assert value.device.type == "cpu"
        assert torch.equal(value, before[name])


def test_several_inputs_and_an_integer_dtype():
    assert output_shape(nn.Bilinear(2, 3, 4), (5, 2), (5, 3)) == (5, 4)
    assert output_shape(nn.Embedding(10, 4), (2, 7), dtype=torch.long) == (2, 7, 4)


@pytest.mark.parametrize("shapes", [(), (3,), ((2, 3.5),)])
def test_bad_shapes_are_named(shapes):
    with pytest.raises(TypeError, match="input_shapes"):
        output_shape(nn.ReLU(), *shapes)


def test_a_layer_is_needed():
    with pytest.raises(TypeError, match=r"layer is 3.*nn\.Module"):
        parameter_count(3)
