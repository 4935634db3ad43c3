"""Exercises of the page recurrent/shapes."""

from layers_book.exercises.recurrent.shapes.slices import BY_LAYER, SUMMARY
from layers_book.exercises.recurrent.shapes.truncated import TRUNCATED

EXERCISES = (SUMMARY, BY_LAYER, TRUNCATED)
