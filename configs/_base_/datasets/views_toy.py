"""Two views of the toy world's training scenes. One process x 32, 64 x 64 views.

tools/dataset_converters/make_toy.py --out data/toy

Counted in iterations: for ``IterBasedTrainLoop``.
"""

from mmengine.dataset import default_collate

from semcl_mm.datasets import TOY_VIEWS, ImageList, PairSampler, ViewDataset

images_of = 'toy'

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=PairSampler, shuffle=True, infinite=True),
    collate_fn=dict(type=default_collate),
    dataset=dict(
        type=ViewDataset,
        images=dict(
            type=ImageList,
            ann_file='data/toy/ImageSets/Segmentation/train.txt',
            data_root='data/toy/JPEGImages',
            suffix='.jpg',
        ),
        views=TOY_VIEWS,
        size=64,
        min_overlap=0.01,
    ),
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
