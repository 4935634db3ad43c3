"""A reader's text: how it is run, and what is said of its errors."""

import io
import math
import re
import sys

import _source

ANSWER = "<answer>"
TORCH = re.compile(r"[^\w](torch|nn|F|Tensor)[^\w]")
WORD = re.compile(r"^[A-Za-z_]\w*")
TEXTS = {}  # by file, what has been run
# what only a syntax tree calls so
CLASSES = set(
    (
        "Add Sub Mult Div FloorDiv Mod MatMult Pow BitAnd BitOr BitXor LShift RShift "
        "USub UAdd Invert Not Compare Attribute Name Subscript List Tuple"
    ).split()
)
# methods of Python's own classes that are not there
LACKED = set(
    (
        "expandtabs isidentifier isprintable istitle translate maketrans format_map "
        "as_integer_ratio hex fromhex"
    ).split()
)
SIGNS = {
    "add": ("+", "Add"),
    "sub": ("-", "Sub"),
    "mul": ("*", "Mult"),
    "truediv": ("/", "Div"),
    "floordiv": ("//", "FloorDiv"),
    "mod": ("%", "Mod"),
    "pow": ("** or pow()", "Pow"),
    "matmul": ("@", "MatMult"),
    "and": ("&", "BitAnd"),
    "or": ("|", "BitOr"),
    "xor": ("^", "BitXor"),
    "lshift": ("<<", "LShift"),
    "rshift": (">>", "RShift"),
    "": ("@", "MatMult"),
}
COMPARES = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
UNARY = {"neg": "-", "pos": "+", "invert": "~"}


def tidy(code):
    """Code without the indent of what stands around it."""
    lines = code.split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    indent = min(indents) if indents else 0
    return "\n".join([line[indent:] if line.strip() else "" for line in lines]).strip(
        "\n"
    )


def space(setup, code, name):
    """The names that an answer finds, as the pages import them."""
    names = {"__name__": "answer", "math": math}
    if TORCH.search(" " + code + " ") or TORCH.search(" " + setup + " "):
        import torch
        from torch import Tensor, nn
        from torch.nn import functional

        names.update({"torch": torch, "nn": nn, "F": functional, "Tensor": Tensor})
    if setup:
        run(setup, "<set-up of " + name + ">", names)
    return names


def run(code, file, names):
    """Run code."""
    TEXTS[file] = code
    exec(compile(_source.plainer(code), file, "exec"), names)


def defined(code, names, answer=""):
    """What code gives: the last name it defines, or an expression once it has run."""
    run(code, "<solution>", names)
    return eval(answer or _last_name(code), names)


def _last_name(code):
    found = ""
    for line in code.split("\n"):
        for word in ("def ", "class "):
            if line.startswith(word):
                found = WORD.match(line[len(word) :].lstrip()).group(0)
        word = WORD.match(line)
        if word and line[len(word.group(0)) :].lstrip()[:1] == "=":
            found = word.group(0)
    return found


def place(error):
    """The files and lines that an exception came through, the outermost first."""
    text = io.StringIO()
    sys.print_exception(error, text)
    found = []
    for line in text.getvalue().split("\n"):
        if line.startswith('  File "'):
            file, _, rest = line[8:].partition('", line ')
            number = rest.split(",")[0]
            found.append((file, int(number) if number.isdigit() else 0))
    return found


def told(error):
    """Type, text, line, code, operation and whether an operand was reduced."""
    kind, text = type(error).__name__, _text(error)
    line = 0
    for file, number in place(error):
        if file == ANSWER:
            line = number
    source = TEXTS.get(ANSWER, "")
    lines = source.split("\n")
    code = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    done = _source.operations(source, line).split("\n") if code else []
    kind, text, wanted = _worded(kind, text, code, done)
    operation = _operation(error, kind, text, wanted, done)
    if operation:  # MicroPython tells the last line of what it has read
        line = int(_source.placed(source, line, operation))
        code = lines[line - 1].strip()
    reduced = bool(code) and "size" in text and bool(_source.reduced(source, line))
    return kind, text, line, code, operation, reduced


def _text(error):
    try:
        return str(error)
    except BaseException:  # the text of a reader's own exception may raise
        return ""


def _operation(error, kind, text, wanted, done):
    """What failed in a line, of all that is done there."""
    if not done:
        return ""
    state = sys.modules.get("torch._state")
    torchs = state.operation(error) if state else ""
    if kind == "ZeroDivisionError":
        torchs = ""
        wanted = [name for name in ("FloorDiv", "Mod", "Div") if name in done][:1]
        wanted = wanted[0] if wanted else ""
    for name in (torchs, wanted):
        if name in done:
            return name
    calls = [name for name in done if name not in CLASSES]
    return calls[-1] if calls else ""


def between(text, before, after):
    """What stands between two parts of a text, None if they are not there."""
    start = text.find(before)
    if start < 0:
        return None
    rest = text[start + len(before) :]
    end = rest.find(after) if after else len(rest)
    return rest[:end] if end >= 0 else None


def _worded(kind, text, code, done):
    """An exception's type and text in Python's own words, and what failed."""
    if kind == "TypeError":
        return _type_error(text, code, done)
    if kind == "NameError":
        if "referenced before" in text:
            return "UnboundLocalError", text, "Name"
        return kind, text.replace("isn't defined", "is not defined"), "Name"
    if kind == "AttributeError":
        return kind, text.replace("'OrderedDict'", "'dict'"), "Attribute"
    if kind == "ZeroDivisionError":
        return kind, _divided(text, done), ""
    if kind == "KeyError":
        return kind, repr(text) if "'" not in text else text, "Subscript"
    if kind == "IndexError":
        return kind, text, "Subscript"
    if kind == "RuntimeError" and "maximum recursion depth" in text:
        return "RecursionError", "maximum recursion depth exceeded", ""
    if kind == "ImportError" and "no module named" in text:
        text = text.replace("no module", "No module")
        return "ModuleNotFoundError", text, ""
    if kind == "ImportError":
        return kind, text.replace("can't import", "cannot import"), ""
    if kind == "ValueError":
        return _value_error(text, code)
    return kind, text, ""


def lacking(text):
    """What of Python's own modules is not there in the page, by an error's text."""
    name = between(text.lower(), "no module named '", "'")
    if name is not None:
        return name
    name = between(text.replace("can't", "cannot"), "cannot import name ", "")
    if name is None and text.startswith("module '"):
        module = between(text, "module '", "'")
        if module in ("torch", "math") or module.startswith(("torch.", "helpers")):
            return ""
        name = module + "." + between(text, "attribute '", "'")
    kind, attribute = between(text, "'", "' object"), between(text, "attribute '", "'")
    if name is None and attribute in LACKED and kind in ("str", "int", "float"):
        name = kind + "." + attribute
    return name or ""


def _divided(text, done):
    """What is said of a division by zero."""
    if "FloorDiv" in done:
        return "integer division or modulo by zero"
    if "Mod" in done:
        return "integer modulo by zero"
    return text.replace("divide by zero", "division by zero")


def _value_error(text, code):
    number = between(text, "need more than ", " values")
    if number is not None:
        targets = code.split("=")[0].count(",") + 1
        said = f"not enough values to unpack (expected {targets}, got {number})"
        return "ValueError", said, "Tuple"
    if "too many values to unpack" in text:
        return "ValueError", text, "Tuple"
    if "invalid syntax for integer" in text:
        return (
            "ValueError",
            text.replace("invalid syntax for integer", "invalid literal for int()"),
            "int",
        )
    if text == "invalid syntax for number":
        return "ValueError", "could not convert string to float", "float"
    if text == "arg is an empty sequence":
        name = "max" if "max" in code else "min"
        return "ValueError", f"{name}() arg is an empty sequence", name
    return "ValueError", text, ""


def _type_error(text, code, done):
    kind = "TypeError"
    method = between(text, "unsupported types for ", ":")
    if method is not None:
        return _operands(text, method.replace("_", ""), code)
    method = between(text, "unsupported type for __", "__: ")
    if method is not None:
        name = between(text, "__: ", "")
        if method == "hash":
            return kind, "unhashable type: " + name, ""
        sign = UNARY.get(method, method)
        names = {"neg": "USub", "invert": "Invert"}
        return kind, f"bad operand type for unary {sign}: {name}", names.get(method, "")
    if "isn't callable" in text:
        return kind, text.replace("isn't", "is not"), ""
    if "isn't subscriptable" in text:
        return kind, text.replace("isn't", "is not"), "Subscript"
    if "isn't iterable" in text:
        name = between(text, "'", "'")
        if "Tuple" in done and "=" in code and "," in code.split("=")[0]:
            return kind, f"cannot unpack non-iterable {name} object", "Tuple"
        return kind, text.replace("isn't", "is not"), ""
    if "indices must be integers, not" in text:
        return (
            kind,
            text.replace("integers, not", "integers or slices, not"),
            "Subscript",
        )
    name = between(text, "unexpected keyword argument '", "'")
    if name is not None and text.startswith("unexpected"):
        called = _called_with(code, name)
        return kind, f"{called}() got an {text}", called
    if "() takes" in text or text.startswith("function takes"):
        return _counted(text, code)
    if "can't convert" in text and " to int" in text:
        given = between(text, "can't convert ", " to")
        return (
            kind,
            "int() argument must be a string, a bytes-like object or a real number, "
            f"not '{given}'",
            "int",
        )
    return kind, text, ""


def _operands(text, method, code):
    kind = "TypeError"
    names = text.split(": ")[-1].replace("'", "").split(", ")
    if len(names) != 2:
        return kind, text, ""
    left, right = names
    if method in COMPARES:
        said = f"'{COMPARES[method]}' not supported between instances of "
        return kind, f"{said}'{left}' and '{right}'", "Compare"
    method = method[1:] if method[:1] == "i" and method[1:] in SIGNS else method
    sign, operation = SIGNS.get(method, (method, ""))
    if sign + "=" in code:
        sign += "="
    elif sign == "+" and left in ("str", "list", "tuple"):
        return (
            kind,
            f'can only concatenate {left} (not "{right}") to {left}',
            operation,
        )
    said = f"unsupported operand type(s) for {sign}: '{left}' and '{right}'"
    return kind, said, operation


def _called_with(code, name):
    """The function that a line calls with a named argument; without a line the answer."""
    if not code:
        last = TEXTS.get(ANSWER, "").split("check(")[-1].split(",")[-1]
        return last.split(")")[0].strip() or "function"
    before = code.split(name + "=")[0].split(name + " =")[0]
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        if before[at] in ")]}":
            depth += 1
        elif before[at] in "([{":
            if depth == 0:
                return _name_before(before[:at])
            depth -= 1
    return "function"


def _name_before(text):
    at = len(text)
    while at and (
        text[at - 1].isalpha() or text[at - 1].isdigit() or text[at - 1] == "_"
    ):
        at -= 1
    return text[at:] or "function"


def _counted(text, code):
    """A call with too many or too few arguments."""
    name = text.split("()")[0] if "()" in text else "function"
    takes, given = between(text, "takes ", " "), between(text, "but ", " ")
    if not takes or not given or not (takes.isdigit() and given.isdigit()):
        return "TypeError", text, name
    takes, given = int(takes), int(given)
    names = [n for n in _parameters(name) if n] if name != "function" else []
    if given < takes and len(names) >= takes:
        missing = names[given:takes]
        plural = "s" if len(missing) > 1 else ""
        listed = ", ".join([repr(n) for n in missing[:-1]])
        listed += (
            ", and " if len(missing) > 2 else " and " if len(missing) > 1 else ""
        ) + repr(missing[-1])
        return (
            "TypeError",
            f"{name}() missing {len(missing)} required positional argument{plural}: "
            f"{listed}",
            name,
        )
    plural = "" if takes == 1 else "s"
    were = "was" if given == 1 else "were"
    said = (
        f"{name}() takes {takes} positional argument{plural} but {given} {were} given"
    )
    return "TypeError", said, name


def _parameters(name):
    """The parameters of the reader's function of this name."""
    source = TEXTS.get(ANSWER, "")
    found = between(source, "def " + name + "(", ")")
    if found is None:
        return []
    return [part.split("=")[0].split(":")[0].strip() for part in found.split(",")]
