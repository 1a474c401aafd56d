"""SemCL-COCO: 712,212 pairs from 118,287 images (paper, Table 1). Four GPUs x 16 pairs.

tools/dataset_converters/build_pair_index.py coco-stuff data/coco --out data/semcl/coco.pairs
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'COCO2017'
data_root = 'data/coco'
index = 'data/semcl/coco.pairs'

expected_samples = dict(train=712_212, tolerance=0.1)  # pairs; see docs/pairs.md
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
