"""Exercises of the page recurrent/gru."""

from layers_book.exercises.recurrent.gru.convert import CONVERT
from layers_book.exercises.recurrent.gru.minimal import MINIMAL
from layers_book.exercises.recurrent.gru.step import STEP

EXERCISES = (STEP, CONVERT, MINIMAL)
