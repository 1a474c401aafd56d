#!/usr/bin/env python
"""Our weights (or any that ``to_mm.py`` reads) -> timm, torchvision or safetensors.

The file holds a bare state dict without classifier: ``timm.create_model(NAME, num_classes=0,
checkpoint_path=FILE)``, or ``model.load_state_dict(torch.load(FILE), strict=False)`` with
torchvision. ``--to safetensors`` keeps our names (``backbone.*``) and the meta data.

Examples:
    python tools/model_converters/from_mm.py checkpoints/r50.pth r50_timm.pth --to timm --verify
    python tools/model_converters/from_mm.py checkpoints/swin-t.pth swin-t.safetensors \
        --to safetensors
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
    parser.add_argument('--to', choices=['timm', 'torchvision', 'safetensors'], required=True)
    parser.add_argument('--key', choices=['online', 'target'], default='online')
    parser.add_argument(
        '--verify', action='store_true', help='stop unless both networks compute the same features'
    )
    parser.add_argument('--trust', action='store_true', help='let the file run code')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Exports; with ``--verify`` only after both networks gave the same features."""
    args = parse_args(arguments)
    with user_errors():
        from semcl_mm.checkpoint import export

        for line in export(
            args.source,
            args.target,
            args.to,
            which=args.key,
            verify=args.verify,
            trust=args.trust,
        ):
            print(line)
        print(f'wrote {args.target}')


if __name__ == '__main__':
    sys.exit(main())
