"""Pairs of CamVid's frames 1 s (30 frames of video) apart, 480 x 360. One process x 16.

data/camvid/frame_pairs.txt has a pair in a line: ``train/0001TP_006690.jpg train/0001TP_006720.jpg 30``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import MOCO_VIEWS, FrameList, FramePairDataset, PairSampler

images_of = 'CamVid'

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=FramePairDataset,
        frames=dict(
            type=FrameList, ann_file='data/camvid/frame_pairs.txt', data_root='data/camvid', gap=30
        ),
        views=MOCO_VIEWS,
        size=112,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
