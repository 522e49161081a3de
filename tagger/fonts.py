"""How a PNG shows a text: in Pillow's own font, else in one of the system's that has all its
characters, else with escapes.
"""

import functools
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# Of Linux, macOS and Windows, for names in Chinese, Japanese and Korean, then in other alphabets;
# looked for where systems keep fonts.
SYSTEM = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "SourceHanSans-Regular.ttc",
    "ipaexg.ttf",
    "ipag.ttf",
    "wqy-microhei.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
    "msgothic.ttc",
    "DejaVuSans.ttf",
    "segoeui.ttf",
)
NO_CHARACTER = "\U0010ffff"  # what a font draws for this it draws for everything that it lacks
NARROW, WIDE = (
    0.6,
    1.0,
)  # of the font's size: about as wide as a letter is, and a character of Chinese or Japanese


def written(text: str, size_px: int) -> "tuple[FreeTypeFont, str]":
    """(font, what to write in it): `text` itself where a font has all of it, else with escapes for
    what Pillow's own lacks.
    """
    for font in _fonts(size_px):
        if all(_has(font, character) for character in text):
            return font, text
    own, *_ = _fonts(size_px)
    return own, "".join(c if _has(own, c) else c.encode("unicode_escape").decode() for c in text)


def fitted(text: str, room_px: float, length_px: Callable[[str], float]) -> str:
    """`text`, or as much of its end as fits into `room_px` with an ellipsis before: the end of a
    path is what tells files apart.
    """
    start, kept = 0, text
    while start < len(text) and length_px(kept) > room_px:
        start += 1
        kept = "…" + text[start:]
    return kept


def estimated_px(text: str, size_px: float) -> float:
    """About how wide a text is in a font that is not known."""
    return size_px * sum(WIDE if unicodedata.east_asian_width(c) in "WF" else NARROW for c in text)


@functools.cache
def _fonts(size_px):
    from PIL import ImageFont

    found = [ImageFont.load_default(size_px)]
    for name in SYSTEM:
        try:
            found.append(ImageFont.truetype(name, size_px))
        except OSError:
            continue
    return found


@functools.cache
def _has(font, character):
    return character.isspace() or bytes(font.getmask(character)) != bytes(
        font.getmask(NO_CHARACTER)
    )
