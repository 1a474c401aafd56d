"""Does the toy world leave room? A linear probe on random features against a trained net.

Both are the same small convolutional net with the same per-pixel linear classifier on its
concatenated stages, trained by the same recipe; the probe's net keeps its random weights.

    python tools/benchmarks/toy_difficulty.py --data data/toy

The last line of the output is one JSON object with both validation mIoUs in percent, and that of
calling everything background.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from semcl_mm.cli import user_errors
from semcl_mm.datasets.toy import TOY_CLASSES

VOID = 255
WIDTHS = (16, 32, 64, 96)


class SmallNet(nn.Module):
    """Four stages at strides 2, 4, 8 and 8 (dilated), read by one linear layer at stride 4.

    The features are standardised before that layer, so that random ones are no harder to fit.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        plan = zip((3, *WIDTHS), WIDTHS, (2, 2, 2, 1), (1, 1, 1, 2), strict=False)
        self.stages = nn.ModuleList(self._stage(*numbers) for numbers in plan)
        channels = sum(WIDTHS[1:])
        self.standardise = nn.BatchNorm2d(channels, affine=False)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Sequential:
        layers = []
        for channels, step in ((inputs, stride), (outputs, 1)):
            conv = nn.Conv2d(channels, outputs, 3, step, dilation, dilation, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class logits (B, classes, H / 4, W / 4) of normalised images (B, 3, H, W)."""
        features, levels = images, []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        size = levels[1].shape[-2:]
        levels = [F.interpolate(x, size, mode='bilinear') for x in levels[1:]]
        return self.classifier(self.standardise(torch.cat(levels, 1)))


def load(root: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images (N, 3, H, W) float32 and class maps at stride 4, int64, of a split."""
    titles = (root / 'ImageSets/Segmentation' / f'{split}.txt').read_text().split()
    images = [np.asarray(Image.open(root / 'JPEGImages' / f'{t}.jpg')) for t in titles]
    labels = [np.asarray(Image.open(root / 'SegmentationClass' / f'{t}.png')) for t in titles]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    # Cell (i, j) of a stride-4 map is centred on pixel (4 i, 4 j): kernel 3, padding 1.
    return (pixels - 110) / 60, torch.from_numpy(np.stack(labels)[:, ::4, ::4]).long()


def train(
    net: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int, lr: float
) -> None:
    """AdamW on what requires a gradient, one cycle, batches of 8, flips.

    The classes weigh by one over the root of their frequency: else the probe says background only.
    """
    frequency = torch.bincount(labels[labels != VOID], minlength=len(TOY_CLASSES)).clamp(min=1)
    weight = (frequency.sum() / frequency).sqrt()
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    net.train()
    for _ in range(steps):
        batch = torch.randint(len(images), (8,))
        view, target = images[batch], labels[batch]
        if torch.rand(()) < 0.5:
            view, target = view.flip(-1), target.flip(-1)
        loss = F.cross_entropy(net(view), target, weight, ignore_index=VOID)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@torch.no_grad()
def evaluate(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """IoU per class in percent, over every fourth pixel of every fourth row."""
    count = len(TOY_CLASSES)
    confusion = torch.zeros(count, count, dtype=torch.long)
    net.eval()
    for view, target in zip(images.split(16), labels.split(16), strict=True):
        guess, counted = net(view).argmax(1), target != VOID
        pairs = target[counted] * count + guess[counted]
        confusion += torch.bincount(pairs, minlength=count**2).view(count, count)
    hit = confusion.diag()
    union = (confusion.sum(0) + confusion.sum(1) - hit).clamp(min=1)
    return (100 * hit / union).tolist()


def compare(root: Path, steps: int, seed: int) -> dict:
    """Train and validate both, and report."""
    train_set, val_set = load(root, 'train'), load(root, 'val')
    report = {'steps': steps, 'seed': seed, 'train_images': len(train_set[0])}
    counted = val_set[1] != VOID
    only_background = 100 * (val_set[1][counted] == 0).float().mean().item()
    report['all_background'] = round(only_background / len(TOY_CLASSES), 2)
    for name, frozen in (('linear_probe', True), ('trained_net', False)):
        torch.manual_seed(seed)
        start = time.process_time()
        net = SmallNet(len(TOY_CLASSES))
        net.stages.requires_grad_(not frozen)
        # The linear problem is convex and wants the larger step.
        train(net, *train_set, steps, lr=2e-2 if frozen else 4e-3)
        ious = evaluate(net, *val_set)
        report[name] = round(sum(ious) / len(ious), 2)
        seconds = time.process_time() - start
        line = '  '.join(f'{c} {v:.1f}' for c, v in zip(TOY_CLASSES, ious, strict=True))
        print(f'{name}: mIoU {report[name]:.2f} %  ({line})  {seconds:.0f} s of CPU', flush=True)
    return report


def main(argv: list[str] | None = None) -> None:
    """Compare the two on the world at ``--data``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/toy'))
    parser.add_argument('--steps', type=int, default=600, help='batches of 8, for each of the two')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # the layers are too small to share
    with user_errors():
        print(json.dumps(compare(args.data, args.steps, args.seed)))


if __name__ == '__main__':
    sys.exit(main())
