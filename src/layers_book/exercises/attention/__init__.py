"""Exercises of the chapter on attention and the Transformer."""
