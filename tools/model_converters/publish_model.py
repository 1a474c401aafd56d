#!/usr/bin/env python
"""Strips a checkpoint to weights and meta data and names it by its content.

Writes ``{name}_{date}-{hash8}.pth``; the hash is over the weights, so that the same weights get
the same name from any file.

Example:
    python tools/model_converters/publish_model.py work_dirs/x/iter_30000.pth checkpoints/semcl_r50
"""

import argparse
import sys

from semcl_mm.cli import user_errors


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='a training checkpoint')
    parser.add_argument('target', help='FOLDER/NAME, with .pth (default) or .safetensors')
    parser.add_argument('--trust', action='store_true', help='let the file run code')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Publishes."""
    args = parse_args(arguments)
    with user_errors():
        from semcl_mm.checkpoint import publish

        print(f'wrote {publish(args.source, args.target, trust=args.trust)}')


if __name__ == '__main__':
    sys.exit(main())
