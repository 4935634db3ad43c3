"""The exercises of the chapter on basic layers, one module a page."""
