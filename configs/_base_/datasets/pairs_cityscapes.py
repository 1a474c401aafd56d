"""SemCL-City: 20,280 pairs from 2,975 images (paper, Table 1). Four GPUs x 16 pairs.

    tools/dataset_converters/build_pair_index.py cityscapes data/cityscapes --out data/semcl/cityscapes.pairs

An image of 2048 x 1024 costs more to decode than to crop: ``sampler.pairs_per_image=4`` shares
the decode between up to four pairs of an image (off here: the paper draws pairs independently).
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'Cityscapes'
data_root = 'data/cityscapes'
index = 'data/semcl/cityscapes.pairs'

expected_samples = dict(train=20_280, tolerance=0.1)  # pairs; see docs/pairs.md
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
