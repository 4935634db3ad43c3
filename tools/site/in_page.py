"""Sphinx extension: exercises are written, run and checked in the page.

What stands where, and who uses it:

In the page
    The container of an exercise's starter cell has the class `runs-here`, if the
    exercise runs in the page; its name is in the section's `<book-solved data-name>`.
    `book.js` gives the cell a button `.write-here` (in the room that `book.css` keeps
    below the cell), "Write and check here", or "Continue here" where
    `localStorage["exercise gru/convert"]` is kept. On a click, or at once where the
    address has a fragment `#write~...`, it loads `_static/exercise.css` and
    `_static/exercise.js` (classic scripts, once) and calls, when they are there,
    `bookExercise.open(cell, name, button)`; for a fragment
    `bookExercise.follow(location.hash)` instead. The editor hides the button.

`_static/exercises/<name>.js`, such as `_static/exercises/gru/convert.js`
    `bookExercises.add("gru/convert", {...})`: what `freeze.py` froze, JSON whose form
    `layers_book/checking/sketch.py` defines, and beside it `starter` (the cell's code),
    `solution` (the printed code), `colab` (address of the notebook), `page`, `title`,
    `needs` (names of further scripts: `["digits"]`), `modules` (a file name such as
    `layers_book/exercises/recurrent/gru.py` to its text). Who loads it defines
    `self.bookExercises = { add(name, frozen) {} }` before.

`_static/engine.js`
    `self.bookEngine = { worker: "its code", wasm: "base64 of gzip", files: {"torch/
    __init__.py": "..."}, start() }`. `await bookEngine.start()` gives a fresh `Worker`
    (from a Blob), to which `{ boot: { wasm, files } }` has been posted: `wasm` is a
    compiled `WebAssembly.Module`, compiled once a page, `files` what MicroPython
    imports. `page_torch/engine/worker.js` answers `{ ready: true }`; there
    `loadMicroPython({ heapsize, module: { instantiateWasm } })` takes it.

`_static/digits.js`
    `bookExercises.data("digits", "base64 of gzip of the bytes of digits.npz's arrays")`.
"""
