"""Pairs of frames of the toy world's training clips, 4 frames apart. One process x 16, 64 x 64 views.

tools/dataset_converters/make_toy.py --out data/toy

Clips of few frames: every pair is an item (``all_pairs``), not every clip.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import TOY_VIEWS, FrameFolders, FramePairDataset, PairSampler

images_of = 'toy'

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=FramePairDataset,
        frames=dict(
            type=FrameFolders,
            data_root='data/toy/clips',
            ann_file='data/toy/clips/train.txt',
            stride=4,
            all_pairs=True,
        ),
        views=TOY_VIEWS,
        size=64,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
