"""Paints pictures of a terminal, cell by cell, into an animated GIF: same input, same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from rich.segment import Segment
from textual.strip import Strip

SIZE = 15
"""Points at which a letter of DejaVu Sans Mono is just `CELL` wide."""
CELL, LINE = 9, 18
"""Pixels of a cell."""
COLOURS = 64
"""Of the whole film: enough for all tones and the edges of letters."""
FONT, BOLD = "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"
INK, PAPER = (221, 225, 231), (16, 21, 27)
Rgb = tuple[int, int, int]


class Frame(NamedTuple):
    """What a terminal shows, and for how many milliseconds."""

    lines: tuple[tuple[Segment, ...], ...]
    shown: int


def frame(strips: list[Strip], shown: int) -> Frame:
    """Return a frame of painted lines."""
    return Frame(tuple(tuple(strip) for strip in strips), shown)


def write(frames: list[Frame], path: Path) -> None:
    """Write frames as a GIF that begins again at its end; equal ones after each other are one."""
    merged: list[Frame] = []
    for one in frames:
        if merged and merged[-1].lines == one.lines:
            merged[-1] = Frame(one.lines, merged[-1].shown + one.shown)
        else:
            merged.append(one)
    painter = Painter()
    pictures = [painter.paint(one) for one in merged]
    palette = _palette(pictures)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    flat[0].save(
        path, format="GIF", save_all=True, append_images=flat[1:], loop=0, optimize=False,
        duration=[one.shown for one in merged], disposal=1,
    )  # fmt: skip


def _palette(pictures: list[Image.Image]) -> Image.Image:
    """Return a picture with the colours that serve all pictures best."""
    width, height = pictures[0].size
    chosen = pictures[:: max(len(pictures) // 12, 1)]
    together = Image.new("RGB", (width, height * len(chosen)))
    for number, picture in enumerate(chosen):
        together.paste(picture, (0, height * number))
    return together.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


class Painter:
    """Paints frames with the one font there is."""

    def __init__(self) -> None:
        self._plain = ImageFont.truetype(FONT, SIZE)
        self._bold = ImageFont.truetype(BOLD, SIZE)

    def paint(self, one: Frame) -> Image.Image:
        """Return a frame as a picture."""
        columns = sum(segment.cell_length for segment in one.lines[0])
        picture = Image.new("RGB", (columns * CELL, len(one.lines) * LINE), PAPER)
        draw = ImageDraw.Draw(picture)
        for y, line in enumerate(one.lines):
            x = 0
            for segment in line:
                self._segment(draw, segment, x, y)
                x += segment.cell_length
        return picture

    def _segment(self, draw: ImageDraw.ImageDraw, segment: Segment, x: int, y: int) -> None:
        style = segment.style
        ink = _rgb(style.color.triplet if style and style.color else None, INK)
        paper = _rgb(style.bgcolor.triplet if style and style.bgcolor else None, PAPER)
        if style and style.reverse:
            ink, paper = paper, ink
        left, top, right = x * CELL, y * LINE, (x + segment.cell_length) * CELL
        draw.rectangle((left, top, right - 1, top + LINE - 1), fill=paper)
        font = self._bold if style and style.bold else self._plain
        for place, char in enumerate(segment.text):
            if char == "─":
                # the font's own leave a gap at some sizes
                draw.line((left + place * CELL, top + 9, left + place * CELL + 8, top + 9), ink)
            elif char == "│":
                draw.line((left + place * CELL + 4, top, left + place * CELL + 4, top + 17), ink)
            elif char == "█":
                draw.rectangle(
                    (left + place * CELL, top, left + place * CELL + 8, top + 17), fill=ink
                )
            elif not char.isspace():
                draw.text((left + place * CELL, top), char, font=font, fill=ink)


def _rgb(triplet: tuple[int, int, int] | None, default: Rgb) -> Rgb:
    return default if triplet is None else (triplet[0], triplet[1], triplet[2])
