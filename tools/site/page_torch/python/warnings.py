"""The module warnings: nothing warns in a page."""


def warn(*args, **named):
    """Do nothing."""


filterwarnings = simplefilter = resetwarnings = warn


class catch_warnings:
    """Nothing changes within it."""

    def __init__(self, *args, record=False, **named):
        self.record = record

    def __enter__(self):
        return [] if self.record else None

    def __exit__(self, *error):
        return False
