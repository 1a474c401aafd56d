"""SemCL-IM: VOC, Cityscapes, ADE20K and COCO together, 1,016,913 pairs (paper, Table 1). Four GPUs x 16.

The four indices of ``pairs_voc``, ``pairs_cityscapes``, ``pairs_ade20k`` and ``pairs_coco`` are
read side by side; nothing is copied. COCO is 70 % of the pairs (``sampler.balance`` can change
what is drawn).
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'IM'
data_root = [
    'data/VOCdevkit/VOC2012',
    'data/cityscapes',
    'data/ADE20K_2021_17_01',
    'data/coco',
]
index = [
    'data/semcl/voc.pairs',
    'data/semcl/cityscapes.pairs',
    'data/semcl/ade20k.pairs',
    'data/semcl/coco.pairs',
]

expected_samples = dict(train=1_016_913, tolerance=0.1)  # pairs; see docs/pairs.md
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, balance=None, pairs_per_image=1),
    collate_fn=dict(type=default_collate),
    dataset=dict(type=PairDataset, index=index, data_root=data_root, size=224),
)
auto_scale_lr = dict(enable=False, base_batch_size=64)
