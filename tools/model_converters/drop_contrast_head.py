#!/usr/bin/env python
"""Strips a segmentor trained with pixel contrast to the plain segmentor: no projection, no memory.

The result loads into the config of the baseline and gives the same outputs.

Example:
    python tools/model_converters/drop_contrast_head.py work_dirs/x/iter_300.pth checkpoints/x.pth
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
    parser.add_argument('--trust', action='store_true', help='let the file run code')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Strips and writes."""
    args = parse_args(arguments)
    with user_errors():
        from semcl_mm.checkpoint import load_file, save_checkpoint
        from semcl_mm.checkpoint.wrapping import tensors_of
        from semcl_mm.downstream import without_contrast

        checkpoint = load_file(args.source, trust=args.trust)
        state = tensors_of(checkpoint)
        try:
            kept = without_contrast(state)
        except ValueError as error:
            raise ValueError(f'{args.source}: {error}') from None
        meta = checkpoint.get('meta', {})
        save_checkpoint({'state_dict': kept, 'meta': meta}, args.target)
        print(f'wrote {args.target}: {len(kept)} tensors, {len(state) - len(kept)} left out')


if __name__ == '__main__':
    sys.exit(main())
