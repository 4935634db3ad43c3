"""What the page lacks says so."""


class NotHere(Exception):
    """What Python or torch can and the page cannot."""


def refuse(what):
    """Raise NotHere for what is named as a reader writes it."""
    raise NotHere(what + " is not there in the page; open the notebook in Colab.")
