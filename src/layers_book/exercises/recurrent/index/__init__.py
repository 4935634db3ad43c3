"""The exercises of the page recurrent/index."""

from layers_book.exercises.recurrent.index.count import COUNT
from layers_book.exercises.recurrent.index.in_pieces import IN_PIECES
from layers_book.exercises.recurrent.index.write_on import WRITE_ON

EXERCISES = (IN_PIECES, WRITE_ON, COUNT)
