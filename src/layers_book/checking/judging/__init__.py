"""Judges records of answers in plain Python, so that MicroPython runs these files too.

Nothing here imports torch or anything but ``math`` and ``re``; no ``match``, no
positional-only marker, no ``zip(strict=...)``, no star inside a list display.
"""
