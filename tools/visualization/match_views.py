#!/usr/bin/env python
"""Draw what a pretraining matches between two views, or which places look alike to it.

``matches`` (the counterpart of Fig. 2 of PixCon's supplement): a row is a photo, a pair of columns
a checkpoint. Of the cells of view 1 that view 2 shows too, those that are least similar to their
match in the mean of all checkpoints are drawn, the same in each column, with their similarity; in
view 2 a dot is the match and a ring, joined to it, the true place. The error is the mean distance
of matches and true places, in cells. ``alike`` (its Fig. 1): the similarity of one place, marked by
a cross, with all of the photo. Any backbone; the photos are the config's or those of ``--images``::

    tools/visualization/match_views.py matches configs/pixcon/toy.py random CKPT --out matches.png
    tools/visualization/match_views.py matches configs/pixcon/toy.py work_dirs/toy/iter_*.pth \\
        --out training.png
    tools/visualization/match_views.py alike random.pth CKPT --images photos/ --at 0.3 0.6 \\
        --out alike.png
"""

from semcl_mm.visualization.front import backbone_parser, draw_to_file
from semcl_mm.visualization.matches import draw_alike, draw_matches, open_views


def main(arguments: list[str] | None = None) -> None:
    """Read the options, draw, write."""
    parser = backbone_parser(__doc__, kinds=('matches', 'alike'))
    parser.add_argument('--queries', type=int, default=5, help='matches drawn of a photo')
    parser.add_argument('--at', type=float, nargs=2, default=(0.5, 0.5), metavar=('X', 'Y'),
                        help='the place that is compared, in 0..1 of the photo')  # fmt: skip
    args = parser.parse_args(arguments)
    if args.what == 'alike':
        draw_to_file(args, draw_alike, at=args.at)
    else:
        options = dict(num=args.num, queries=args.queries, seed=args.seed)
        draw_to_file(args, draw_matches, source=views_of, **options)


def views_of(args, config):
    """Two views of each photo that the options choose from."""
    return open_views(args.images, config, args.size)


if __name__ == '__main__':
    main()
