"""The exercises of the page recurrent/index."""

from helpers.exercises.recurrent.count import COUNT
from helpers.exercises.recurrent.in_pieces import IN_PIECES
from helpers.exercises.recurrent.write_on import WRITE_ON

EXERCISES = (IN_PIECES, WRITE_ON, COUNT)
