"""A stranger's text and pictures, made safe to show in formgrader.

formgrader renders markdown with raw HTML in it, and finds the input fields of a mark by
the ids in the page. So a student's text is softened, then rendered here as formgrader
will, and shown as plain text unless what comes out is known to be harmless.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

__all__ = ["marked", "plain", "png", "shown", "soften", "text_only"]

LONGEST_MARKDOWN = 20_000  # characters: rendering hostile text takes its square
LONGEST_TEXT = 100_000
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 4 * 2**20  # bytes

MARK, ENCODED = "\N{ZERO WIDTH SPACE}", "%E2%80%8B"
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
)
UNDERLINE = re.compile(r"[ \t>]*(?:=+|-+)[ \t]*")
INLINE = re.compile(r"!\[([^\[\]]*)\]\(data:image/\w+;base64,([A-Za-z0-9+/=]+)\)")

TAGS = re.compile(
    "p|br|hr|em|strong|del|code|pre|div|span|a|img|input|h[1-6]|[uo]l|li|dl|dt|dd"
    "|blockquote|table|thead|tbody|t[rhd]"
)
ATTRIBUTES = {
    "id": re.compile(rf"[^\s\"']*{ENCODED}"),
    "class": re.compile(
        r"highlight|anchor-link|task-list-item(-checkbox)?|language-\S+|[a-z0-9]{1,3}"
    ),
    "href": re.compile(rf"https?://\S+|#\S*{ENCODED}"),
    "src": re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+"),
    "style": re.compile(r"text-align:(left|right|center)"),
    "type": re.compile(r"checkbox"),
    "start": re.compile(r"[0-9]+"),
    "alt": re.compile(r"[^<>]*"),
    "checked": re.compile(r""),
    "disabled": re.compile(r""),
}


def text_only(text: str, longest: int = LONGEST_TEXT) -> str:
    """Without terminal escapes and control characters, cut where it is too long."""
    if len(text) > longest:
        text = f"{text[:longest]}\n… cut here: {len(text):,} characters in all"
    return CONTROLS.sub("", ESCAPES.sub("", text.replace("\r\n", "\n")))


def soften(text: str) -> str:
    """Markdown in which no tag and no link begins, each told apart by a space.

    >>> soften("x<y, [a](javascript:b), <script>")
    'x< y, [a] (javascript:b), < script>'
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", text_only(text))
    return re.sub(r"\](?=[(:])", "] ", text)


def marked(markdown: str) -> str:
    """With a mark in each heading: the id made of it is that of no input field."""
    lines = markdown.split("\n")
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if "#" in line or (line.strip() and UNDERLINE.fullmatch(below)):
            lines[i] = f"{line} {MARK}"
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text as it is, as a block of code, or nothing of it where that is not safe."""
    text = marked(soften(text_only(text, LONGEST_MARKDOWN)))
    block = "\n".join(f"    {line}" for line in text.split("\n"))
    return block if _harmless(block, {}) else "*A text that cannot be shown safely.*"


def shown(
    text: str, attachments: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """A student's markdown as a cell of formgrader may hold it.

    Args:
        text: markdown.
        attachments: pictures by name, each by MIME type, as nbformat stores them.

    Returns:
        Markdown without HTML, links or pictures from elsewhere, or plain text where
        that does not come out harmless; and the attachments, PNG only.
    """
    pictures = dict(_pictures(attachments or {}))
    text = INLINE.sub(lambda found: _attach(found, pictures), text)
    markdown = marked(soften(text_only(text, LONGEST_MARKDOWN)))
    for name in pictures:
        markdown = markdown.replace(f"] (attachment:{name})", f"](attachment:{name})")
    if _harmless(markdown, pictures):
        return markdown, pictures
    return plain(text), {}


def png(data: Any) -> str | None:
    """A PNG picture in base64, if that is what the data is."""
    if isinstance(data, list) and all(isinstance(line, str) for line in data):
        data = "".join(data)
    if not isinstance(data, str) or len(data) > LARGEST_PICTURE * 4 // 3 + 1000:
        return None
    try:
        picture = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(picture).decode() if picture.startswith(PNG) else None


def _pictures(attachments: Mapping[str, Any]) -> Any:
    for name, kinds in attachments.items():
        if not re.fullmatch(r"[\w.-]{1,100}", str(name)) or not isinstance(kinds, dict):
            continue
        if picture := png(kinds.get("image/png")):
            yield name, {"image/png": picture}


def _attach(found: re.Match[str], pictures: dict[str, Any]) -> str:
    """A picture that stands in the text itself, as Colab has it, as an attachment."""
    name = f"inline-{len(pictures)}.png"
    if (picture := png(found[2])) is None or name in pictures:
        return f"[{found[1]}: a picture that is no PNG of at most 4 MB]"
    pictures[name] = {"image/png": picture}
    return f"![{found[1]}](attachment:{name})"


def _harmless(markdown: str, pictures: dict[str, Any]) -> bool:
    renderer = IPythonRenderer(escape=False, attachments=pictures)
    try:
        page = MarkdownWithMath(renderer=renderer).render(markdown)
        judge = _Judge()
        judge.feed(page)
        judge.close()
    except Exception:  # formgrader would fail on it, too
        return False
    return judge.harmless


class _Judge(HTMLParser):
    """Looks for anything that is not known to be harmless."""

    harmless = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not TAGS.fullmatch(tag):
            self.harmless = False
        for name, value in attrs:
            allowed = ATTRIBUTES.get(name)
            if allowed is None or not allowed.fullmatch(value or ""):
                self.harmless = False

    def handle_comment(self, data: str) -> None:
        self.harmless = False

    def handle_decl(self, decl: str) -> None:
        self.harmless = False

    def unknown_decl(self, data: str) -> None:
        self.harmless = False

    def handle_pi(self, data: str) -> None:
        self.harmless = False
