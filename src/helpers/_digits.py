"""A small set of real images that travels with the package."""

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
