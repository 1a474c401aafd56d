"""What the authors' code of pixel contrast does on Cityscapes where its paper says something else.

No memory: the anchors of the two images of a GPU are each other's keys, up to 100 per image and class
and 1,024 in all, half of them hard and half easy. Its loss weight 0.1 counts times temperature / 0.07.
"""

authors_contrast = dict(
    norm_cfg=dict(type='BN', requires_grad=True),
    align_corners=True,
    warmup_iters=5000,
    loss=dict(
        temperature=0.1,
        anchor_mode='hard-easy',
        anchor_unit='image-category',
        anchors_per_class=100,
        max_anchors=1024,
        min_pixels=101,
        key_sampling='all',
        loss_weight=0.1 * 0.1 / 0.07,
    ),
)
# of the 19 classes, in all cross entropies
authors_class_weight = [
    0.8373, 0.9180, 0.8660, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023,
    0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507,
]  # fmt: skip
authors_head = dict(align_corners=True, loss_decode=dict(class_weight=authors_class_weight))
# a shift of the brightness instead of colour jitter
authors_jitter = dict(
    brightness_delta=10, contrast_range=(1.0, 1.0), saturation_range=(1.0, 1.0), hue_delta=0
)
