"""Small sets of real data that travel with the package: images and words."""

from importlib.resources import files

import numpy as np
import torch


def digits(
    dtype: torch.dtype = torch.float64,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Handwritten digits, 8 x 8 pixels, for experiments of a few seconds.

    Args:
        dtype: of the images.

    Returns:
        ``x_train (1200, 1, 8, 8)``, ``y_train (1200,)``, ``x_test (597, 1, 8, 8)``,
        ``y_test (597,)``; images in 0..1, labels 0..9 (long), always the same split.

    Source: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten
    Digits, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49
    (its test set, CC BY 4.0).

    >>> x_train, y_train, x_test, y_test = digits()
    >>> x_train.shape, y_train.bincount().tolist()
    (torch.Size([1200, 1, 8, 8]), [123, 117, 115, 124, 109, 137, 118, 112, 124, 121])
    """
    with (files("helpers") / "data" / "digits.npz").open("rb") as file:
        stored = np.load(file)
        images = torch.from_numpy(stored["images"]).to(dtype)[:, None] / 16
        labels = torch.from_numpy(stored["labels"]).long()
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(labels)))
    images, labels = images[order], labels[order]
    return images[:1200], labels[:1200], images[1200:], labels[1200:]


def layer_names() -> tuple[list[str], list[str]]:
    """The names of torch.nn's layers: words for experiments of a few seconds.

    Returns:
        130 names to train on and 32 to test with, always the same split, shuffled.

    Source: the modules of ``torch.nn`` that torch 2.9 to 2.15 have in common.

    >>> train, test = layer_names()
    >>> train[:3], len("".join(train))
    (['KLDivLoss', 'SELU', 'Tanhshrink'], 1521)
    """
    names = (files("helpers") / "data" / "layers.txt").read_text("utf8").split()
    order = np.random.RandomState(0).permutation(len(names))
    names = [names[i] for i in order]
    return names[:130], names[130:]
