"""SemCL-ADE: 270,218 pairs from 25,574 images (paper, Table 1). Four GPUs x 16 pairs.

    tools/dataset_converters/build_pair_index.py ade20k-full data/ADE20K_2021_17_01 --out data/semcl/ade20k.pairs

This is the full ADE20K_2021_17_01 with its instance masks, not ADEChallengeData2016.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'ADE20K'
data_root = 'data/ADE20K_2021_17_01'
index = 'data/semcl/ade20k.pairs'

expected_samples = dict(train=270_218, tolerance=0.1)  # pairs; see docs/pairs.md
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
