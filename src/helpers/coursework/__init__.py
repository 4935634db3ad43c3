"""Coursework: release a chapter's assignment, collect, grade, give feedback, export.

The guide is ``coursework/README.md``; the commands: ``python -m helpers.coursework``.
"""
