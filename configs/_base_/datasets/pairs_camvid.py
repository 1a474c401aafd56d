"""Pairs of CamVid, class by class: 367 driving images of 480 x 360. One process x 16 pairs.

tools/dataset_converters/build_pair_index.py folder data/camvid --images train --labels trainannot --ignore 11 --out data/semcl/camvid.pairs
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import PairDataset, PairSampler

pairs_of = 'CamVid'
data_root = 'data/camvid'
index = 'data/semcl/camvid.pairs'

expected_samples = dict(train=2469)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, balance=None, pairs_per_image=1),
    collate_fn=dict(type=default_collate),
    dataset=dict(type=PairDataset, index=index, data_root=data_root, size=224),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
