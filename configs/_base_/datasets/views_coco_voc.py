"""Two views of COCO's train2017 and VOC 2012's train_aug, 128,869 images. One process x 32.

Counted in iterations: for ``IterBasedTrainLoop``. A leaf may choose other ``dataset.views``, e.g.
``MOCO_VIEWS`` or ``SIMCLR_VIEWS``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import BYOL_VIEWS, ImageFolder, ImageList, PairSampler, ViewDataset

images_of = 'COCO2017+VOC2012'

expected_samples = dict(train=128_869)
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=ViewDataset,
        images=[
            dict(type=ImageFolder, data_root='data/coco/train2017'),
            dict(
                type=ImageList,
                ann_file='data/VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt',
                data_root='data/VOCdevkit/VOC2012/JPEGImages',
                suffix='.jpg',
            ),
        ],
        views=BYOL_VIEWS,
        size=224,
        min_overlap=0.01,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
