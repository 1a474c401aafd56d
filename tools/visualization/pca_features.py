#!/usr/bin/env python
"""Dense features of backbones as colours: red, green and blue are three principal components.

    tools/visualization/pca_features.py configs/pixcon/toy.py random CKPT --out pca.png
    tools/visualization/pca_features.py early.pth late.pth --images photos/ --shared all --out a.png

Equal colours are equal features within a column; with ``--shared all`` within the picture, which
says something for checkpoints of one training; with ``--shared photo`` within a panel only.
"""

from semcl_mm.visualization.front import backbone_parser, draw_to_file
from semcl_mm.visualization.principal import SHARED, draw_principal


def main(arguments: list[str] | None = None) -> None:
    """Read the options, draw, write."""
    parser = backbone_parser(__doc__, size=448)
    parser.add_argument(
        '--shared', choices=SHARED, default=SHARED[0], help='what has one projection'
    )
    args = parser.parse_args(arguments)
    draw_to_file(args, draw_principal, shared=args.shared)


if __name__ == '__main__':
    main()
