"""Exercises of the page recurrent/variable_length."""

from layers_book.exercises.recurrent.variable_length.masked_loss import MASKED_LOSS
from layers_book.exercises.recurrent.variable_length.pack import PACK
from layers_book.exercises.recurrent.variable_length.summary import SUMMARY

EXERCISES = (SUMMARY, PACK, MASKED_LOSS)
