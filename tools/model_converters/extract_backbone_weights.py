#!/usr/bin/env python
"""The backbone of an OpenMMLab checkpoint -> our published form, for any architecture.

Unlike ``to_mm.py`` it renames nothing where the keys follow no known layout, so that it also
serves HRNet and the like.

Example:
    python tools/model_converters/extract_backbone_weights.py work_dirs/semcl/iter_30000.pth \
        checkpoints/backbone.pth --key target
"""

import argparse
import sys

from semcl_mm.cli import user_errors


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='a training checkpoint')
    parser.add_argument('target', help='file to write: .pth or .safetensors')
    parser.add_argument(
        '--key', choices=['online', 'target'], default='online', help='target: the moving average'
    )
    parser.add_argument('--trust', action='store_true', help='let the file run code')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Extracts and writes."""
    args = parse_args(arguments)
    with user_errors():
        from semcl_mm.checkpoint import convert, save_checkpoint

        conversion = convert(args.source, which=args.key, trust=args.trust, allow_unknown=True)
        save_checkpoint(conversion.checkpoint, args.target)
        print(conversion.summary())
        print(f'wrote {args.target}')


if __name__ == '__main__':
    sys.exit(main())
