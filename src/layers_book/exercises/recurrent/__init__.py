"""The exercises of the chapter on recurrent layers, one module a page."""
