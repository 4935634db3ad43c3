"""From a submission to its record in ``records/``.

`queue` finds what has no record yet and hands it to processes; in each of them
`grading.grade` reads the notebook, `running` has the sandbox run its cells and put the
questions, the question's `grader` judges what comes back, and it is written down as
`record` says.
"""
