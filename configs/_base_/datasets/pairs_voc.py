"""SemCL-VOC: 14,203 pairs from 10,582 images (paper, Table 1). Four GPUs x 16 pairs.

tools/dataset_converters/build_pair_index.py voc data/VOCdevkit/VOC2012 --split train_aug --out data/semcl/voc.pairs
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'VOC2012'
data_root = 'data/VOCdevkit/VOC2012'
index = 'data/semcl/voc.pairs'

expected_samples = dict(train=14_203, tolerance=0.1)  # pairs; see docs/pairs.md
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
