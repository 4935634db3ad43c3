"""Figures as widgets; imported when a reader asks for one, since anywidget is slow."""

from functools import cache
from typing import Any

from torch import nn

from layers_book.figures._figure import ELEMENTS, Figure, script


def live(figure: Figure) -> Any:
    """A widget over the figure's own JavaScript, with two-way traits.

    Raises:
        ImportError: names the package that is missing.
    """
    kind: Any = type(figure)
    return _widget_class(kind)(**figure._full)


@cache
def _widget_class(kind: Any) -> Any:
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ImportError(
            f"a live figure needs the package {error.name!r}: pip install anywidget "
            "(the figure itself, without .live(), needs nothing)"
        ) from error

    def state(self: Any) -> dict[str, Any]:
        return {key: getattr(self, key) for key in kind.defaults}

    def layer(self: Any) -> nn.Module:
        module: nn.Module = kind.from_state(state(self)).layer
        return module

    def text(self: Any) -> str:
        return f"live {kind.from_state(state(self))!r}"

    def step(self: Any, count: int = 1, **changes: Any) -> Any:
        for key, value in changes.items():
            setattr(self, key, value)
        figure: Any = kind.from_state(state(self))
        self.log = figure.step(count)._full["log"]
        return self

    def trait(key: str, default: Any) -> Any:
        allowed = kind.allowed.get(key)
        if allowed:
            made = traitlets.Enum(allowed, default)
        elif isinstance(default, bool):
            made = traitlets.Bool(default)
        elif isinstance(default, int):
            made = traitlets.Int(default)
        elif key == "momentum":
            made = traitlets.Float(default, allow_none=True)
        elif isinstance(default, float):
            made = traitlets.Float(default)
        else:
            made = traitlets.Any(default)
        return made.tag(sync=True)

    tag = ELEMENTS[kind.name]
    members: dict[str, Any] = {
        "__doc__": f"{kind.__name__} with traits {', '.join(kind.traits)}.",
        "_esm": script(kind.name)
        + f'export default {{ render: globalThis.nnFigures.render("{tag}") }};\n',
        "layer": property(layer),
        "__repr__": text,
        **{key: trait(key, value) for key, value in kind.defaults.items()},
    }
    if "log" in kind.defaults:
        members["step"] = step
    return type(f"Live{kind.__name__}", (anywidget.AnyWidget,), members)
