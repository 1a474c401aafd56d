"""Pairs for CACL without videos: two crops of each image of COCO's train2017 and VOC 2012's train_aug. One process x 16.

128,869 images. The crops are cut apart, so a cell does not lie where its counterpart does: not for ``match='position'``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import (
    MOCO_VIEWS,
    FramePairDataset,
    ImageFolder,
    ImageList,
    PairSampler,
    StillFrames,
)

images_of = 'COCO2017+VOC2012'

expected_samples = dict(train=128_869)
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=FramePairDataset,
        frames=dict(
            type=StillFrames,
            images=[
                dict(type=ImageFolder, data_root='data/coco/train2017'),
                dict(
                    type=ImageList,
                    ann_file='data/VOCdevkit/VOC2012/ImageSets/Segmentation/train_aug.txt',
                    data_root='data/VOCdevkit/VOC2012/JPEGImages',
                    suffix='.jpg',
                ),
            ],
        ),
        views=MOCO_VIEWS,
        size=112,
        same_crop=False,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
