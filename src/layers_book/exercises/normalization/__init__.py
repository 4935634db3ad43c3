"""The exercises of the chapter on normalization layers, one module a page."""
