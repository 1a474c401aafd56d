"""Pixel contrast on CamVid for a CPU: what the arms of one comparison share, network to schedule.

UPerNet with a half-width ResNet-18, batches of 8 crops of 192 x 192, 500 iterations; embeddings of
length 64 from three stages at stride 8 (as DeepLab V3), warm-up of 50 iterations. A leaf merges
these parts into what the other bases define.
"""

narrow = dict(
    data_preprocessor=dict(size=(192, 192)),
    decode_head=dict(in_channels=[32, 64, 128, 256], num_classes=11, channels=64),
    auxiliary_head=dict(in_channels=128, num_classes=11, channels=32),
)
narrow_contrast = dict(
    in_channels=[64, 128, 256],
    in_index=[1, 2, 3],
    channels=128,
    num_classes=11,
    dim=64,
    warmup_iters=50,
)
# N training images and T = 10 N, as in the paper
whole_memory = dict(num_images=367, pixels_per_class=3670)

small_crop = dict(crop_size=(192, 192))
train_batches = dict(batch_size=8, num_workers=1)
val_batches = dict(num_workers=1)
short = dict(max_iters=500, val_interval=500)
small_optimizer = dict(lr=1e-3)
quick_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=500))
