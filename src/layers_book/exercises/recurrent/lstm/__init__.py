"""The exercises of the page recurrent/lstm."""

from layers_book.exercises.recurrent.lstm.counter import COUNTER
from layers_book.exercises.recurrent.lstm.forget_bias import FORGET_BIAS
from layers_book.exercises.recurrent.lstm.step import STEP

EXERCISES = (STEP, FORGET_BIAS, COUNTER)
