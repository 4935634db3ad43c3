"""The exercises of the book; each comes when it is run."""
