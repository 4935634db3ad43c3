"""The exercises of the page recurrent/lstm."""

from helpers.exercises.lstm.counter import COUNTER
from helpers.exercises.lstm.forget_bias import FORGET_BIAS
from helpers.exercises.lstm.step import STEP

EXERCISES = (STEP, FORGET_BIAS, COUNTER)
