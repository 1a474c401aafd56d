"""Two views of ImageNet-1k's training set, 1,281,167 images in class folders. Four GPUs x 128.

Counted in epochs: for ``EpochBasedTrainLoop`` (``sampler.infinite=True`` is for an iteration-based one).
A leaf may choose other ``dataset.views``, e.g. ``MOCO_VIEWS`` or ``SIMCLR_VIEWS``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import BYOL_VIEWS, ImageFolder, PairSampler, ViewDataset

images_of = 'ImageNet-1k'

expected_samples = dict(train=1_281_167)
train_dataloader = dict(
    batch_size=128,
    num_workers=12,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=False),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=ViewDataset,
        images=dict(type=ImageFolder, data_root='data/imagenet/train'),
        views=BYOL_VIEWS,
        size=224,
        min_overlap=0.01,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=512)
