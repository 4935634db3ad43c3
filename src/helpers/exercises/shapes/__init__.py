"""Exercises of the page recurrent/shapes."""

from helpers.exercises.shapes.slices import BY_LAYER, SUMMARY
from helpers.exercises.shapes.truncated import TRUNCATED

EXERCISES = (SUMMARY, BY_LAYER, TRUNCATED)
