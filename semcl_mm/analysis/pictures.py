"""How what was drawn is written: to a file, or into an HTML page."""

import base64
import html
import io
import os
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ['inline_picture', 'save_picture']

_PNG = b'\x89PNG\r\n\x1a\n'


def save_picture(figure: Figure, out: str | Path, **options) -> None:
    """Write a figure complete or not at all; missing folders are made.

    Args:
        figure: What was drawn.
        out: The file; its ending is the format.
        **options: Of ``Figure.savefig``, over 110 dots per inch.

    Raises:
        OSError: The file cannot be written.
        ValueError: matplotlib does not know the ending.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f'.{out.stem}.part{out.suffix}')
    try:
        figure.savefig(part, **{'dpi': 110, **options})
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def inline_picture(picture: Figure | str | Path, alt: str, **options) -> str:
    """Return an ``<img>`` that holds its picture, for an HTML file that needs no other.

    Args:
        picture: What was drawn, or a PNG file.
        alt: What the picture shows, in words.
        **options: Of ``Figure.savefig``, over 110 dots per inch.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is no PNG.
    """
    if isinstance(picture, Figure):
        buffer = io.BytesIO()
        picture.savefig(buffer, **{'dpi': 110, **options, 'format': 'png'})
        content = buffer.getvalue()
    else:
        content = Path(picture).read_bytes()
    if not content.startswith(_PNG):
        raise ValueError(f'{picture}: not a PNG')
    data = base64.b64encode(content).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
