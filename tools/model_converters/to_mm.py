#!/usr/bin/env python
"""Any known file of weights -> our published form.

Reads checkpoints of MoCo v1-v3 and SemCL (official), timm, torchvision, the original Swin
Transformer, ViT/DeiT/MAE and ConvNeXt, mmpretrain, mmseg, mmdet and ours.

Examples:
    python tools/model_converters/to_mm.py swin_tiny_patch4_window7_224.pth checkpoints/swin-t.pth
    python tools/model_converters/to_mm.py semcl.pth.tar checkpoints/r50.pth --arch resnet50
    python tools/model_converters/to_mm.py r-50-1000ep.pth.tar checkpoints/mocov3.pth --full
"""

import argparse
import sys

from semcl_mm.cli import user_errors


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='.pth, .pth.tar, .pt or .safetensors')
    parser.add_argument('target', help='file to write: .pth or .safetensors')
    parser.add_argument('--arch', help='stop unless it is this: resnet50, swin-tiny, vit-base…')
    parser.add_argument(
        '--full',
        action='store_true',
        help='keep projector, predictor and target network, to go on with the pretraining',
    )
    parser.add_argument('--key', choices=['online', 'target'], default='online')
    parser.add_argument(
        '--allow-partial', action='store_true', help='leave out tensors that have no place'
    )
    parser.add_argument('--trust', action='store_true', help='let the file run code')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Converts, proves that mmpretrain's network takes every tensor, then writes."""
    args = parse_args(arguments)
    with user_errors():
        from semcl_mm.checkpoint import convert, save_checkpoint

        conversion = convert(
            args.source,
            which=args.key,
            arch=args.arch,
            full=args.full,
            trust=args.trust,
            allow_unknown=args.allow_partial,
        )
        save_checkpoint(conversion.checkpoint, args.target)
        print(conversion.summary())
        print(f'wrote {args.target}')


if __name__ == '__main__':
    sys.exit(main())
