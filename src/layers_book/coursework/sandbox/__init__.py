"""Where a submission's code runs, and nothing else.

`bubblewrap.Sandbox` starts one process behind bubblewrap, ``inside/warm.py``, which
forks a child for each submission; the child, ``inside/run.py``, locks itself in, runs
the cells, puts the questions and writes plain data into a pipe; `memory` bounds what
the kernel holds for it. Of all coursework only ``inside`` is mounted there.
"""
