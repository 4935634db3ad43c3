"""Exercises of the page recurrent/variable_length."""

from helpers.exercises.variable_length.masked_loss import MASKED_LOSS
from helpers.exercises.variable_length.pack import PACK
from helpers.exercises.variable_length.summary import SUMMARY

EXERCISES = (SUMMARY, PACK, MASKED_LOSS)
