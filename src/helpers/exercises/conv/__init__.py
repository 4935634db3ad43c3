"""The exercises of the page conv."""

from helpers.exercises.conv.by_hand import BY_HAND
from helpers.exercises.conv.matrix import MATRIX
from helpers.exercises.conv.paddings import PADDINGS

EXERCISES = (BY_HAND, PADDINGS, MATRIX)
