"""The machinery of the book that its pages run."""
