"""From an LMS's download to the submissions of a course.

`download.collect` takes a zip or folder: `archive` lists its files without trusting
any, `paths` reads their names by the table in `layouts` (`gradescope` tells its own
in a file), `students` says whom of the roster they mean, `notebook` reads each or says
why not, `submissions` keeps every file in ``received/`` and the one that counts in
``submitted/``, and `summary` tells it.
"""
