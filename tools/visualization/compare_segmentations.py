#!/usr/bin/env python
"""A picture of what several checkpoints of one segmentation config predict.

tools/visualization/compare_segmentations.py CONFIG --checkpoints A.pth B.pth --out picture.png
"""

from semcl_mm.visualization.predictions import compare_to_file, comparison_parser
from semcl_mm.visualization.segmentations import draw_segmentations


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, predicts and draws."""
    parser = comparison_parser(__doc__, 'configs/segmentation/', num=6)
    compare_to_file(parser.parse_args(arguments), draw_segmentations)


if __name__ == '__main__':
    main()
