"""Ask, record and judge an answer in a page; what needs torch comes when asked for."""

WHERE = {
    "recording": "Case Unanswered kind",
    "exercise": "Exercise Mistake",
    "isolation": "Refused",
    "runs": "Run custom_run function_run measure_run module_run value_run",
    "steps": "describe distinct function_steps gradients module_steps"
    " refuse_no_function signed varied",
    "values": "call measure_steps value_steps",
}


def __getattr__(name):
    for module, names in WHERE.items():
        if name in names.split():
            return getattr(_module(module), name)
    return _module(name)


def _module(name):
    return __import__("layers_book.checking." + name, None, None, (name,))
