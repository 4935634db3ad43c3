"""From an LMS's download to the submissions of a course.

`download.collect` takes a zip or folder: `archive` lists its files without trusting
any, `students` says whose each is, `notebook` reads it or says why not, and
`submissions` keeps every file in ``received/`` and the one that counts in
``submitted/``.
"""
