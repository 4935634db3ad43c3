METHODS = ()
NAMES = ()
