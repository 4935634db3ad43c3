"""From records to nbgrader's files, where points by hand are given and kept.

`gradebook` enters each record into ``gradebook.db``, which `database` opens, and reads
back what people have given; `formgrader` writes the notebook that nbgrader's formgrader
shows for a submission. `score` judges an answer in a notebook's own kernel instead, for
nbgrader's autograde.
"""
