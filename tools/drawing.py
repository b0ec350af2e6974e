"""`make drawing`: draws SDS-IQA as `docs/sds-iqa.md` describes it, into `docs/images/sds-iqa.svg`."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

DRAWING = Path("docs/images/sds-iqa.svg")
LEVELS = 4
INK, IMAGE, SALIENCY, ATTENTION, FUSION = "#1f2430", "#1f5fa8", "#a65300", "#7038a8", "#1f7a4a"
SIZE = (966, 442)
FIRST, STEP = 168, 192
"""Left edge of the first level, and from one level to the next."""
TOP, MIDDLE, BOTTOM, FUSED, BUS = 84, 168, 252, 340, 402
"""Heights of the rows: image branch, attention, saliency branch, fusion, head."""


def label(x: float, y: float, text: str, colour: str = INK, size: int = 13, anchor: str = "middle", style: str = "") -> str:
    """Write a text; `y` is its middle."""
    return f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}" text-anchor="{anchor}"{style} dy="0.35em">{text}</text>'


def box(x: float, y: float, width: float, height: float, colour: str, *lines: str) -> str:
    """Draw a rounded box round its middle, with a line of text or two."""
    shape = f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="6" '
    shape += f'fill="{colour}" fill-opacity="0.1" stroke="{colour}"/>'
    shift = 16 if len(lines) > 1 else 0
    return shape + "".join(label(x, y - shift / 2 + shift * row, line, colour) for row, line in enumerate(lines))


def arrow(colour: str, *points: tuple[float, float], head: bool = True) -> str:
    """Draw a line through points, with a head at its end."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    end = f' marker-end="url(#{colour[1:]})"' if head else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{end}/>'


def product(x: float, y: float, colour: str) -> str:
    """Draw a product of two inputs."""
    return f'<circle cx="{x}" cy="{y}" r="10" fill="#ffffff" stroke="{colour}"/>' + label(x, y, "×", colour, 15)


def level(number: int) -> Iterator[str]:
    """Draw a level: a stage of each branch, attention, what it strengthens, and fusion."""
    x = FIRST + STEP * number
    middle, junction, times = x + 33, x + 82, x + 122
    for y, colour, name in ((TOP, IMAGE, "i"), (BOTTOM, SALIENCY, "s")):
        yield box(middle, y, 66, 36, colour, f"stage {number + 1}")
        yield arrow(colour, (x + 66, y), (times - 11, y))
        yield product(times, y, colour)
        yield label(x + 74, y - 12, f'F<tspan dy="-4" font-size="9">{name}</tspan>', colour, 12)
        if number < LEVELS - 1:
            yield arrow(colour, (times + 10, y), (x + STEP - 1, y))
    yield arrow(ATTENTION, (junction, BOTTOM), (junction, MIDDLE + 15))
    yield box(junction, MIDDLE, 40, 28, ATTENTION, f'A<tspan dy="3" font-size="9">{number + 1}</tspan>')
    yield arrow(ATTENTION, (junction + 20, MIDDLE), (times, MIDDLE), (times, TOP + 11))
    yield arrow(ATTENTION, (times, MIDDLE), (times, BOTTOM - 11))
    for shift, y, colour in ((18, TOP, IMAGE), (34, BOTTOM, SALIENCY)):
        start = [(times + 10, y)] if number == LEVELS - 1 else []
        yield arrow(colour, *start, (times + shift, y), (times + shift, FUSED - 23))
    yield box(times + 26, FUSED, 112, 44, FUSION, "gate,", "1×1 conv, pool")
    yield arrow(FUSION, (times + 26, FUSED + 22), (times + 26, BUS), head=False)


def drawing() -> str:
    """Draw the network.

    Returns:
        The text of an SVG file.
    """
    width, height = SIZE
    end = FIRST + STEP * (LEVELS - 1) + 148
    heads = "".join(
        f'<marker id="{colour[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
        for colour in (INK, IMAGE, SALIENCY, ATTENTION, FUSION)
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif">',
        "<title>SDS-IQA: a saliency branch guides an image branch, and gated fusion joins them</title>",
        f'<defs>{heads}</defs><rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>',
        label(FIRST, 30, "image branch", IMAGE, 14, "start", ' font-weight="600"'),
        label(FIRST, BOTTOM + 34, "saliency branch", SALIENCY, 14, "start", ' font-weight="600"'),
        label(FIRST + 118, 30, "attention strengthens it level by level: Gⁱ = Fⁱ × (1 + A), Gˢ = Fˢ × (1 + A)", INK, 13, "start"),
        box(56, TOP, 84, 40, INK, "image"),
        box(56, BOTTOM, 84, 40, INK, "saliency", "map"),
        arrow(INK, (98, TOP), (FIRST - 1, TOP)),
        arrow(INK, (128, TOP), (128, BOTTOM - 11)),
        arrow(INK, (98, BOTTOM), (117, BOTTOM)),
        product(128, BOTTOM, INK),
        arrow(INK, (138, BOTTOM), (FIRST - 1, BOTTOM)),
        label(14, BOTTOM + 34, "of the whole image", INK, 12, "start"),
        *(piece for number in range(LEVELS) for piece in level(number)),
        arrow(FUSION, (FIRST + 148, BUS), (end, BUS), head=False),
        arrow(FUSION, (FIRST + 148, BUS), (FIRST + 109, BUS)),
        box(FIRST + 38, BUS, 140, 40, FUSION, "all levels joined,", "two linear layers"),
        arrow(INK, (FIRST - 32, BUS), (99, BUS)),
        box(56, BUS, 84, 40, INK, "score"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main(words: Sequence[str] | None = None) -> None:
    """Write the drawing.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.drawing", description=__doc__)
    parser.add_argument("--output", type=Path, default=DRAWING, help="where the drawing goes")
    settings = parser.parse_args(words)
    settings.output.write_text(drawing(), encoding="utf-8")
    print(f"wrote {settings.output}")


if __name__ == "__main__":
    main()
