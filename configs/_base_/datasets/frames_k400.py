"""Pairs of frames of Kinetics-400's 240 k training videos, 8 frames apart, one random pair a video. 16 GPUs x 32.

Straight from the videos below data/kinetics400/train, which takes the extra ``video``. With frames that
were extracted, ``frames=dict(_delete_=True, type=FrameFolders, data_root=…, stride=8)``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import MOCO_VIEWS, VideoFiles, FramePairDataset, PairSampler

images_of = 'Kinetics-400'

expected_samples = dict(train=240_000, tolerance=0.1)
train_dataloader = dict(
    batch_size=32,
    num_workers=12,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=FramePairDataset,
        frames=dict(type=VideoFiles, data_root='data/kinetics400/train', stride=8),
        views=MOCO_VIEWS,
        size=224,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=512)
