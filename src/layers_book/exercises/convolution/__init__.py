"""The exercises of the chapter on convolution layers, one module a page."""
