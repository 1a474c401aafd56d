"""Two views of CamVid: 367 driving images of 480 x 360. One process x 32.

Counted in iterations: for ``IterBasedTrainLoop``. A leaf may choose other ``dataset.views``, e.g.
``MOCO_VIEWS`` or ``SIMCLR_VIEWS``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import BYOL_VIEWS, ImageFolder, PairSampler, ViewDataset

images_of = 'CamVid'

expected_samples = dict(train=367)
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=ViewDataset,
        images=dict(type=ImageFolder, data_root='data/camvid/train'),
        views=BYOL_VIEWS,
        size=112,
        min_overlap=0.01,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
