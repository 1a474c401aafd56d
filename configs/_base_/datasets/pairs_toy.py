"""Pairs of the toy world, class by class as in SemCL-VOC. One process x 16 pairs, 64 x 64 views.

tools/dataset_converters/make_toy.py --out data/toy
tools/dataset_converters/build_pair_index.py voc data/toy --out data/semcl/toy.pairs
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'toy'
data_root = 'data/toy'
index = 'data/semcl/toy.pairs'

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, balance=None, pairs_per_image=1),
    collate_fn=dict(type=default_collate),
    dataset=dict(type=PairDataset, index=index, data_root=data_root, size=64),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
