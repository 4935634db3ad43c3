"""What every interactive figure shares on Python's side: state, MIME bundle, script."""

import base64
import html
import io
import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn
from traitlets import Bool, Enum, Float, HasTraits, Int, List, TraitError, TraitType

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


@cache
def tokens() -> dict[str, dict[str, str]]:
    """The colors by theme (``light``, ``dark``) and role, shared with the JS.

    >>> tokens()["light"]["input"]
    '#1c3f7c'
    """
    text = (files("layers_book") / "figures" / "tokens.json").read_text("utf8")
    colors: dict[str, dict[str, str]] = json.loads(text)
    return colors


UNBOUNDED = 1_000_000  # in a link, of numbers whose trait has no bound
Form = list[Any]  # of a value in a link: its kind, then bounds, words or parts
FIGURES: "dict[str, type[Figure]]" = {}  # by name, as the modules are imported


@cache
def script(name: str | None = None) -> str:
    """The JavaScript of one figure with the shared core, or of all figures.

    It is a classic script without dependencies; loading it twice does no harm.

    Args:
        name: a figure's name, such as ``lookup_table``, or None for every figure.

    Raises:
        ValueError: no figure has that name.

    >>> len(script("normalized_axes")) < len(script())
    True
    """
    if name is not None and name not in FIGURES:
        raise ValueError(f"name is {name!r}: allowed are {', '.join(FIGURES)}, None")
    names = [name] if name else [*FIGURES]
    parts = [script_part(part) for part in ("core", *names)]
    return "".join([*parts, *(FIGURES[part].data() for part in names)])


@cache
def script_part(name: str) -> str:
    """The core's JavaScript, or a figure's after what its State declares.

    Args:
        name: ``core``, which comes first on a page, ``links``, which only the site
            adds, or a figure's name.
    """
    code = (files("layers_book") / "figures" / "minified" / f"{name}.js").read_text(
        "utf8"
    )
    if name in ("core", "links"):
        return code
    kind = FIGURES[name]
    declaration = {
        "defaults": kind.defaults,
        "traits": kind.traits,
        "forms": kind.forms,
    }
    words = json.dumps(declaration, separators=(",", ":"))
    return f'nnFigures.declare("{kind.tag}",{words});\n{code}'


def mix(s: int) -> int:
    """32 well mixed bits of a whole number, which the figures' JavaScript repeats.

    Source: Appleby, MurmurHash3, https://github.com/aappleby/smhasher (its finalizer).

    >>> mix(1), mix(2)
    (1364076727, 821347078)
    """
    word = 0xFFFFFFFF
    s &= word
    s = ((s ^ (s >> 16)) * 0x85EBCA6B) & word
    s = ((s ^ (s >> 13)) * 0xC2B2AE35) & word
    return s ^ (s >> 16)


def within(low: int, high: int, **values: int) -> None:
    """Refuse a whole number outside of what a figure can show.

    Raises:
        ValueError: names the argument, its value and what is allowed.

    >>> within(1, 12, kernel_size=13)
    Traceback (most recent call last):
    ValueError: kernel_size is 13: allowed are 1 to 12
    """
    for key, value in values.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not (low <= value <= high)
        ):
            raise ValueError(f"{key} is {value!r}: allowed are {low} to {high}")


def draw_cells(
    ax: "Axes",
    values: Sequence[Sequence[float]],
    left: float,
    top: float,
    role: str,
    filled: Collection[tuple[int, int]] = (),
) -> None:
    """Draw a matrix as cells with numbers in the color of a role.

    Args:
        ax: a cell is one unit; the vertical axis must grow downwards.
        values: rows of numbers.
        left: of the first column.
        top: of the first row.
        role: a role of the color file, such as ``input``.
        filled: the ``(row, column)`` that stand out.
    """
    from matplotlib.patches import Rectangle

    color = tokens()["light"]
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            fill = color[f"{role}-fill"] if (r, c) in filled else color["bg"]
            place = (left + c, top + r)
            ax.add_patch(Rectangle(place, 0.9, 0.9, fc=fill, ec=color[role]))
            number = f"{value:.0f}" if abs(value) >= 99.5 else f"{value:.2g}"
            number = number.replace("-", "\N{MINUS SIGN}")
            at = (left + c + 0.45, top + r + 0.45)
            ax.text(*at, number, ha="center", va="center", fontsize=9)


def inner(trait: Any) -> Any:
    """A trait that is no argument and comes to the page once: the view's own."""
    return trait.tag(inner=True, once=True)


def unlinked(trait: Any) -> Any:
    """What a control shows of another trait, or a layer's own: no link holds it."""
    return inner(trait).tag(link=None)


def own_numbers() -> Any:
    """Numbers taken from a layer or tensor of the reader's own, or None."""
    return inner(List(default_value=None, allow_none=True))


class Figure:
    """An interactive figure: shown when it is a cell's last expression.

    A subclass declares in ``State`` what its page may show, once: names, defaults, and
    what is allowed. These are its arguments, but those tagged ``inner``; with
    ``by_place`` naming the ones that may be given by place and ``others`` those that
    ``take`` turns into state, such as a layer of the reader's own.

    ``values`` holds the whole state; ``state`` is what travels to the page, as JSON.
    """

    State: ClassVar[type[HasTraits]]
    by_place: ClassVar[tuple[str, ...]] = ()
    others: ClassVar[tuple[str, ...]] = ()
    actions: ClassVar[tuple[str, ...]] = ()  # methods that a live figure has, too

    name: ClassVar[str]  # lookup_table, from LookupTable
    tag: ClassVar[str]  # nn-lookup-table
    defaults: ClassVar[dict[str, Any]]
    traits: ClassVar[tuple[str, ...]]  # those a live figure keeps in step, both ways
    forms: ClassVar[dict[str, Form]]  # what a link may hold under each key
    __signature__: ClassVar[Signature]
    _nullable: ClassVar[set[str]]

    def __init_subclass__(cls) -> None:
        declared = {
            k: v for k, v in vars(cls.State).items() if isinstance(v, TraitType)
        }
        for trait in declared.values():
            trait.tag(sync=True)
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.tag = f"nn-{cls.name.replace('_', '-')}"
        state = cls.State()
        cls.defaults = {key: getattr(state, key) for key in declared}
        cls.traits = tuple(k for k, v in declared.items() if not v.metadata.get("once"))
        cls.forms = {k: form for k, v in declared.items() if (form := _form(v))}
        arguments = [k for k, v in declared.items() if not v.metadata.get("inner")]
        by_name = [k for k in (*arguments, *cls.others) if k not in cls.by_place]
        parameters = [
            Parameter(key, kind, default=cls.defaults.get(key))
            for kind, keys in (
                (Parameter.POSITIONAL_OR_KEYWORD, cls.by_place),
                (Parameter.KEYWORD_ONLY, by_name),
            )
            for key in keys
        ]
        cls.__signature__ = Signature(parameters)
        # None is a value of its own where it is allowed and not the default anyway
        cls._nullable = {
            k
            for k in arguments
            if declared[k].allow_none and cls.defaults[k] is not None
        }
        FIGURES[cls.name] = cls

    def __init__(self, *by_place: Any, **given: Any) -> None:
        bound = self.__signature__.bind(*by_place, **given).arguments
        given = {k: v for k, v in bound.items() if v is not None or k in self._nullable}
        self.values = {**self.defaults, **self._allowed(self.take({**given}))}
        self.check(given)

    def change(self, given: Mapping[str, Any], page: Mapping[str, Any]) -> None:
        """Become the figure of a page with some of its state changed.

        Args:
            given: what changes, by the names of ``State``.
            page: the state on the page. Where it clashes with ``given`` in a place that
                ``check`` alone bounds, it gives way: the script moves it back inside.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """
        traits = self.State().traits()
        settings = {
            k: v
            for k, v in page.items()
            if not isinstance(v, list) and not _is_place(traits[k])
        }
        self.values = {**self.defaults, **page}
        self.values |= self._allowed(self.take({**settings, **given}))
        self.check(given)
        for key, value in given.items():
            if self.values[key] != value:
                raise ValueError(
                    f"{key} is {value}, which here can only be {self.values[key]}"
                )

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """The state that these arguments say: a layer's sizes, a tensor's numbers."""
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """Complete ``values``; refuse what one trait alone cannot.

        Args:
            given: the arguments as they were given.

        Raises:
            ValueError: names the argument, its value and what is allowed.
        """

    def _allowed(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is given, as the traits take it; ValueError where they do not."""
        state = self.State()
        for key, value in given.items():
            trait = state.traits()[key]
            try:
                # traitlets takes True for 1, and 2.0 for 2
                if isinstance(value, bool) and isinstance(trait, Int | Float):
                    raise TraitError
                if isinstance(value, float) and isinstance(trait, Int):
                    raise TraitError
                setattr(state, key, value)
            except TraitError:
                label = trait.metadata.get("label", key)
                words = trait.metadata.get("says", f"allowed are {_words(trait)}")
                raise ValueError(f"{label} is {value!r}: {words}") from None
        return {key: getattr(state, key) for key in given}

    @classmethod
    def data(cls) -> str:
        """JavaScript that a page of the site loads only when the figure asks for it."""
        return ""

    @property
    def state(self) -> dict[str, Any]:
        """What differs from the figure's defaults."""
        return {k: v for k, v in self.values.items() if v != self.defaults[k]}

    @property
    def layer(self) -> nn.Module:
        """The ``torch.nn`` module the figure shows now."""
        raise NotImplementedError

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Figure":
        """The figure of a state as the page sends it."""
        figure = cls.__new__(cls)
        figure.values = {**cls.defaults, **state}
        return figure

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        raise NotImplementedError

    def draw(self, canvas: "Canvas") -> None:
        """Draw this very state with matplotlib."""
        raise NotImplementedError

    def fallback(self) -> str:
        """A readable HTML table: GitHub's preview, a blocked script, a printer."""
        caption, rows = self.rows()
        body = "".join(
            f'<tr><th scope="row">{html.escape(a)}</th><td>{html.escape(b)}</td></tr>'
            for a, b in rows
        )
        return f"<table><caption>{html.escape(caption)}</caption>{body}</table>"

    def png(self) -> bytes:
        """This state as a small PNG, the same bytes on each call.

        nbconvert to LaTeX and PDF shows it, which take no HTML; other viewers show the
        element or its table.
        """
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas

        with mpl.rc_context():
            mpl.rcdefaults()
            canvas = Canvas(figsize=(6.4, 3.2), dpi=80, layout="constrained")
            FigureCanvasAgg(canvas)
            self.draw(canvas)
            buffer = io.BytesIO()
            canvas.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def element(self) -> str:
        """The custom element with its state and, inside, the fallback table."""
        state = json.dumps(self.state, separators=(",", ":"), ensure_ascii=False)
        for raw, safe in (("&", "&amp;"), ("'", "&#39;"), ("<", "&lt;")):
            state = state.replace(raw, safe)
        return f"<{self.tag} state='{state}'>{self.fallback()}</{self.tag}>"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        code = f"<script data-nn-figure>{script(self.name)}</script>"
        return {
            "text/plain": repr(self),
            "text/html": f"{self.element()}\n{code}",
            "image/png": base64.b64encode(self.png()).decode(),
        }

    def live(self) -> Any:
        """The figure as an anywidget: its traits move the picture, and back.

        Returns:
            A widget with the traits of ``State`` and with ``layer``.

        Raises:
            ImportError: anywidget is not installed.
        """
        kind: Any = type(self)
        return _widget_class(kind)(**self.values)


def _form(trait: Any) -> Form | None:
    """A trait's tag ``link``, or what its type and bounds say."""
    form: Form | None = trait.metadata.get("link")
    if "link" in trait.metadata:
        pass
    elif isinstance(trait, Enum):
        form = ["word", *trait.values]
    elif isinstance(trait, Bool):
        form = ["bool"]
    elif isinstance(trait, Int | Float):
        low = -UNBOUNDED if trait.min is None else max(trait.min, -UNBOUNDED)
        high = UNBOUNDED if trait.max is None else min(trait.max, UNBOUNDED)
        form = ["int" if isinstance(trait, Int) else "float", low, high]
    elif isinstance(trait, List) and isinstance(trait._trait, Int):
        usual = len(trait.default() or ())
        lengths = (trait._minlen, trait._maxlen)
        lengths = (usual, usual) if trait._maxlen == sys.maxsize else lengths
        form = ["list", _form(trait._trait), *lengths]
    return ["null", form] if form and trait.allow_none else form


def _is_place(trait: Any) -> bool:
    if isinstance(trait, List):
        trait = trait._trait
    return isinstance(trait, Int) and trait.max is None


def _words(trait: Any) -> str:
    """What a trait allows, in words."""
    if "allowed" in trait.metadata:
        return str(trait.metadata["allowed"])
    if isinstance(trait, Enum):
        return ", ".join(map(str, trait.values))
    if isinstance(trait, Bool):
        return "True, False"
    if isinstance(trait, Int | Float) and trait.max is not None:
        none = "None and " if trait.allow_none else ""
        return f"{none}{trait.min} to {trait.max}"
    return str(trait.info())


@cache
def _widget_class(kind: type[Figure]) -> Any:
    """A widget with the figure's traits over its own JavaScript."""
    try:
        import anywidget  # slow, and only a live figure needs it
    except ImportError as error:
        raise ImportError(
            f"a live figure needs the package {error.name!r}: pip install anywidget "
            "(the figure itself, without .live(), needs nothing)"
        ) from error

    def figure(self: Any) -> Figure:
        return kind.from_state({key: getattr(self, key) for key in kind.defaults})

    def action(name: str) -> Any:
        def act(self: Any, *by_place: Any, **given: Any) -> Any:
            changed = figure(self)
            getattr(changed, name)(*by_place, **given)
            for key, value in changed.values.items():
                setattr(self, key, value)
            return self

        return act

    members: dict[str, Any] = {
        "__doc__": f"{kind.__name__} with traits {', '.join(kind.traits)}.",
        "_esm": script(kind.name)
        + f'export default {{ render: globalThis.nnFigures.render("{kind.tag}") }};\n',
        "layer": property(lambda self: figure(self).layer),
        "__repr__": lambda self: f"live {figure(self)!r}",
        **{name: action(name) for name in kind.actions},
    }
    bases = (kind.State, anywidget.AnyWidget)
    return type(f"Live{kind.__name__}", bases, members)
