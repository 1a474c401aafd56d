"""How the visualization tools write what they have drawn."""

import os
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ['save_picture']


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
