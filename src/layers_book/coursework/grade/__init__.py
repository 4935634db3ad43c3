"""From a submission to its record in ``records/``.

`queue` finds what has no record yet and makes each a `job` for processes of this
machine (`serving`) or a `cluster`; in each of them `grading.grade` reads the notebook,
by its `plan` `running` has the sandbox run the cells and put the questions, the
question's `grader` judges what comes back, and it is written down as `record` says.
"""
