#!/usr/bin/env python
"""A picture of what several checkpoints of one detection config find, beside the ground truth.

tools/visualization/compare_detections.py CONFIG --checkpoints A.pth B.pth --out picture.png
"""

from semcl_mm.visualization.detections import draw_detections
from semcl_mm.visualization.predictions import compare_to_file, comparison_parser


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, predicts and draws."""
    parser = comparison_parser(__doc__, 'configs/detection/', num=4)
    parser.add_argument('--score', type=float, default=0.5, help='draw what scores at least this')
    parser.add_argument('--split', choices=('train', 'val'), default='val')
    args = parser.parse_args(arguments)
    compare_to_file(args, draw_detections, score=args.score, split=args.split)


if __name__ == '__main__':
    main()
