"""Cross-image pixel contrast beside any segmentor's heads, with the paper's settings.

A leaf merges ``contrast`` into its ``model`` (a cascade such as OCR sets
``type=ContrastCascadeEncoderDecoder``) and fills in ``in_channels``, ``num_classes`` and the sizes
of the memory: ``num_images`` of the training set, ``pixels_per_class`` (the paper's T = 10 N, as far
as memory allows). Its training pipeline packs ``contrast_meta_keys``.
"""

from semcl_mm.downstream import ContrastEncoderDecoder, PixelContrastHead
from semcl_mm.losses import PixelContrastLoss
from semcl_mm.memory import RegionMemoryBank

contrast = dict(
    type=ContrastEncoderDecoder,
    contrast_head=dict(
        type=PixelContrastHead,
        in_channels=None,
        in_index=3,
        num_classes=None,
        dim=256,
        loss=dict(
            type=PixelContrastLoss,
            temperature=0.1,
            anchors_per_class=50,
            anchor_mode='segmentation-aware',
            key_sampling='semi-hard',
            num_positives=1024,
            num_negatives=2048,
            hard_fraction=0.1,
            loss_weight=1.0,
        ),
        memory=dict(
            type=RegionMemoryBank,
            num_images=None,
            pixels_per_class=None,
            pixels_per_image=10,
            memory='both',
        ),
        warmup_iters=0,
    ),
)
# mmseg's own, and the place of an image in the training set: its slot in the region memory
contrast_meta_keys = (
    'img_path',
    'seg_map_path',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'reduce_zero_label',
    'sample_idx',
)
