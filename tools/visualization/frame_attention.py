#!/usr/bin/env python
"""Where a pixel finds itself in another frame, head by head: CACL's Figure 3 for its checkpoints.

    tools/visualization/frame_attention.py configs/cacl/toy.py random CKPT --out attention.png
    tools/visualization/frame_attention.py configs/cacl/toy.py CKPT --backbone --out any.png

Rows are pairs of frames with a random target cell (cross), once per checkpoint. Over the other
frame: the target's cosine with every cell, in the embeddings of each head. Over the first frame
again: where a cycle through the other frame ends, without the queue. A ring is where a map is
greatest; colours span each map's own range, which is written below it. With ``--backbone``: the
same in the features of the backbone, which any pretraining's checkpoint has.
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger

from semcl_mm.analysis.pictures import save_picture
from semcl_mm.cli import user_errors
from semcl_mm.engine.config_file import read_config
from semcl_mm.visualization.backbones import RANDOM, open_backbones, titles_of
from semcl_mm.visualization.frames import (
    backbone_maps,
    draw_frames,
    head_maps,
    load_cacl,
    read_frames,
)
from semcl_mm.visualization.front import check_out


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line, embeds, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='a config on pairs of frames (configs/cacl/)')
    parser.add_argument('checkpoints', nargs='+', help=f'files, or {RANDOM!r} for a random start')
    parser.add_argument('--names', nargs='+', help='a title for each checkpoint')
    parser.add_argument('--backbone', action='store_true', help='its features, not the heads')
    parser.add_argument('--out', required=True, type=Path, help='the picture (PNG)')
    parser.add_argument('--num', type=int, default=4, help='pairs of frames')
    parser.add_argument('--size', type=int, default=0, help='side in pixels; 0: twice the training')
    parser.add_argument('--seed', type=int, default=0, help='of pairs, targets and random starts')
    parser.add_argument('--trust', action='store_true', help='unpickle even if that may run code')
    args = parser.parse_args(arguments)
    with user_errors():
        MMLogger.get_instance('visualization', log_level='WARNING')  # not a line per file
        check_out(args.out)
        config = read_config(args.config)
        draw = backbone_rows if args.backbone else head_rows
        frames, shown = draw(config, args)
        save_picture(draw_frames(frames, shown), args.out)
        print(f'wrote {args.out}: {len(frames)} pairs of frames')


def head_rows(config: Config, args: argparse.Namespace) -> tuple:
    """Frames, and what the heads of each checkpoint say of them."""
    frames, shown = None, {}
    for name, file in zip(titles_of(args.checkpoints, args.names), args.checkpoints, strict=True):
        model = load_cacl(config, file, args.seed, args.trust)
        if frames is None:
            frames = read_frames(config, args.num, args.size, model.output_stride, args.seed)
        inputs = model.data_preprocessor.finish(dict(inputs=list(frames.unbind(1))))
        shown[name] = head_maps(model, inputs, args.seed)
    return frames, shown


def backbone_rows(config: Config, args: argparse.Namespace) -> tuple:
    """Frames, and what the features of each backbone say of them."""
    options = dict(seed=args.seed, trust=args.trust)
    backbones = open_backbones(config, args.checkpoints, args.names, **options)
    frames = read_frames(config, args.num, args.size, seed=args.seed)
    return frames, {each.name: backbone_maps(each, frames, args.seed) for each in backbones}


if __name__ == '__main__':
    main()
