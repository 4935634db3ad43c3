"""The machinery of the book: checked exercises, figures, coursework."""
