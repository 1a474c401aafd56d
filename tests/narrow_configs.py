"""Any segmentation config at an eighth of its width, and one step of its training without data."""

import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from semcl_mm.registry import MODELS

CROP = 64
# Entries of a model that count channels. All are divided alike, so that what fits in the config
# fits here, and what does not, does not.
WIDTHS = {
    'base_channels',
    'stem_channels',
    'num_channels',
    'in_channels',
    'channels',
    'ocr_channels',
    'embed_dims',
    'dim',
}
SMALLER = {
    'depth': 50,
    'num_modules': 1,
    'warmup_iters': 0,
    'anchors_per_class': 4,
    'min_pixels': 2,
    'num_positives': 8,
    'num_negatives': 16,
    'num_images': 8,
    'pixels_per_class': 20,
    'size': (CROP, CROP),
}


def narrow_model(cfg, factor=8):
    """The model of a config: narrow, shallow, for crops of 64 x 64 and a small memory."""
    model = ConfigDict(cfg.model.to_dict())
    if 'depth' in model.backbone:  # ResNet; its defaults are not in the config
        model.backbone = dict(base_channels=64, stem_channels=64) | model.backbone
    _shrink(model, factor)
    return model


def _shrink(node, factor):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key in WIDTHS and value != 3:
            node[key] = [v // factor for v in value] if _many(value) else value // factor
        elif key in SMALLER and not (key == 'depth' and value < SMALLER[key]):
            node[key] = SMALLER[key]
        elif key in ('num_blocks', 'num_layers') and _many(value):
            node[key] = [1] * len(value)
        elif isinstance(value, dict) or (_many(value) and any(isinstance(v, dict) for v in value)):
            _shrink(value, factor)


def _many(value):
    return isinstance(value, (list, tuple))


def batch(num_classes, seed=0):
    """Two images of random squares, a fifth of them ignored, as a data loader gives them."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (2, 3, CROP, CROP), generator=generator, dtype=torch.uint8)
    labels = torch.randint(min(num_classes, 4), (2, CROP // 8, CROP // 8), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    shape = (CROP, CROP)
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=label[None]),
            metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape, sample_idx=i),
        )
        for i, label in enumerate(labels)
    ]
    return dict(inputs=list(images), data_samples=samples)


def train_and_predict(cfg, steps=2):
    """Train a narrow model for some steps with its own optimiser, then predict.

    Returns:
        The model in evaluation mode, the losses of the last step, predictions of a batch, and
        names of parameters that no gradient reached: one would stop a distributed run.
    """
    torch.manual_seed(0)
    model = MODELS.build(narrow_model(cfg))
    without = {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: without.discard(name))
    optimiser = build_optim_wrapper(model, cfg.optim_wrapper)
    classes = model.num_classes
    for step in range(steps):
        losses = model.train_step(batch(classes, step), optimiser)
    model.eval()
    with torch.no_grad():
        predictions = model.test_step(batch(classes, steps))
    return model, losses, predictions, without
