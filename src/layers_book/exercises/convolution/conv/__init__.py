"""The exercises of the page conv."""

from layers_book.exercises.convolution.conv.by_hand import BY_HAND
from layers_book.exercises.convolution.conv.matrix import MATRIX
from layers_book.exercises.convolution.conv.paddings import PADDINGS

EXERCISES = (BY_HAND, PADDINGS, MATRIX)
