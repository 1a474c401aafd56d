#!/usr/bin/env python
"""A picture of what several checkpoints of one depth config predict, in metres, with a colour bar.

tools/visualization/compare_depth.py CONFIG --checkpoints A.pth B.pth --out picture.png
"""

from semcl_mm.visualization.depth_maps import draw_depth_maps
from semcl_mm.visualization.predictions import compare_to_file, comparison_parser


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, predicts and draws."""
    parser = comparison_parser(__doc__, 'configs/depth/', num=5)
    compare_to_file(parser.parse_args(arguments), draw_depth_maps)


if __name__ == '__main__':
    main()
