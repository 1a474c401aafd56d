"""Cityscapes for the benchmark's server: training on train + val, predictions of the 1,525 test images.

Beside ``seg_cityscapes``; a leaf merges ``both_splits`` into the training set and takes the others.
"""

from mmengine.dataset import DefaultSampler
from mmseg.datasets import CityscapesDataset, PackSegInputs

from semcl_mm.downstream import CheckedImage, CityscapesSplits, CityscapesSubmission

both_splits = dict(
    type=CityscapesSplits,
    splits=('train', 'val'),
    data_prefix=dict(img_path='leftImg8bit', seg_map_path='gtFine'),
)
unlabelled_images = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CityscapesDataset,
        data_root='data/cityscapes',
        data_prefix=dict(img_path='leftImg8bit/test'),
        pipeline=[dict(type=CheckedImage), dict(type=PackSegInputs)],
    ),
)
submission = dict(type=CityscapesSubmission)  # into WORK_DIR/submission
