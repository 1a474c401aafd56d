"""Multi-scale and flip testing, ``tools/test.py --tta``: 0.75 to 2.0 times the image, step 0.25.

Class probabilities at the size of the image are averaged over the twelve passes. A leaf fills in
``num_classes`` of the labels, which are read last and neither resized nor flipped.
"""

from mmcv.transforms import RandomFlip, Resize, TestTimeAug
from mmseg.datasets import PackSegInputs
from mmseg.models import SegTTAModel

from semcl_mm.downstream import CheckedImage, CheckedSegAnnotations

tta_model = dict(type=SegTTAModel)
tta_pipeline = [
    dict(type=CheckedImage),
    dict(
        type=TestTimeAug,
        transforms=[
            [
                dict(type=Resize, scale_factor=0.75, keep_ratio=True),
                dict(type=Resize, scale_factor=1.0, keep_ratio=True),
                dict(type=Resize, scale_factor=1.25, keep_ratio=True),
                dict(type=Resize, scale_factor=1.5, keep_ratio=True),
                dict(type=Resize, scale_factor=1.75, keep_ratio=True),
                dict(type=Resize, scale_factor=2.0, keep_ratio=True),
            ],
            [dict(type=RandomFlip, prob=0.0), dict(type=RandomFlip, prob=1.0)],
            [dict(type=CheckedSegAnnotations, num_classes=None)],
            [dict(type=PackSegInputs)],
        ],
    ),
]
