"""Exercises of the page recurrent/gru."""

from helpers.exercises.gru.convert import CONVERT
from helpers.exercises.gru.minimal import MINIMAL
from helpers.exercises.gru.step import STEP

EXERCISES = (STEP, CONVERT, MINIMAL)
