#!/usr/bin/env python
"""What a pretrained backbone attends to, beside its initialisation (SemCL's Fig. 7).

    tools/visualization/attention_maps.py configs/semcl/toy.py random CKPT --out attention.png
    tools/visualization/attention_maps.py initial.pth CKPT --images a.jpg photos/ --out att.png

Score-CAM through the grad-cam library (``pip install 'semcl_mm[visualization]'``), for any
backbone: a channel of the last map counts as much as the embedding of the photo, masked by it, is
similar to the whole photo's. ``--method class-token``: the attention of a ViT's class token.
"""

from semcl_mm.visualization.attention import METHODS, draw_attention
from semcl_mm.visualization.front import backbone_parser, draw_to_file


def main(arguments: list[str] | None = None) -> None:
    """Read the options, draw, write."""
    parser = backbone_parser(__doc__, size=224)
    parser.add_argument('--method', choices=METHODS, default=METHODS[0])
    parser.add_argument(
        '--channels', type=int, default=256, help='channels that mask a photo (0: all, slow)'
    )
    parser.add_argument('--temperature', type=float, default=0.2, help='of the similarities')
    args = parser.parse_args(arguments)
    options = dict(channels=args.channels, temperature=args.temperature)
    draw_to_file(args, draw_attention, method=args.method, **options)


if __name__ == '__main__':
    main()
