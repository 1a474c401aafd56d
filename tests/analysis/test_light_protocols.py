"""Dense and pooled protocols against loops over pixels, and perfect features that must win."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from torch import nn

from semcl_mm.analysis.labelled_features import FeatureReader, cell_counts, collect_bank
from semcl_mm.analysis.light_protocols import (
    Confusion,
    fit_linear_probe,
    judge,
    mean_average_precision,
)

CLASSES = 4


class Colours(nn.Module):
    """Mean colours of 8 x 8 pixels, as features."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (F.avg_pool2d(images, 8) * self.scale,)


def item(seed: int, size=(40, 56)) -> dict:
    """An image of 8 x 8 squares whose colour tells the class, some of them ignored."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.randint(CLASSES, (size[0] // 8, size[1] // 8), generator=generator)
    labels = grid.repeat_interleave(8, 0).repeat_interleave(8, 1)
    palette = torch.tensor([[250, 20, 20], [20, 250, 20], [20, 20, 250], [240, 240, 30]])
    image = palette[labels].permute(2, 0, 1).to(torch.uint8)
    labels = labels.clone()
    labels[:, :8] = 255
    return dict(inputs=image, data_samples=SegDataSample(gt_sem_seg=PixelData(data=labels[None])))


def reader() -> FeatureReader:
    return FeatureReader(Colours().eval(), CLASSES)


def test_cells_count_the_pixels_that_lie_in_them():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (12, 20), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    counts = cell_counts(labels, (3, 4), CLASSES)
    expected = torch.zeros(12, CLASSES)
    for y in range(12):
        for x in range(20):
            if labels[y, x] != 255:
                expected[(y // 4) * 4 + x // 5, labels[y, x]] += 1
    assert torch.equal(counts, expected)


def test_features_are_read_in_rgb_normalised_and_padded_to_whole_cells():
    got = reader()(item(0))
    assert got.size == (8, 8)  # 40 x 56 becomes 64 x 64
    assert tuple(got.labels.shape) == (64, 64)
    assert (got.labels[40:] == 255).all()
    rgb = item(0)['inputs'].flip(0)[:, :8, 8:16].float().mean(dim=(1, 2))
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    torch.testing.assert_close(got.cells[1], (rgb - mean) / std)
    torch.testing.assert_close(got.pooled, got.cells.mean(dim=0))


def test_features_that_tell_the_class_give_nearly_every_pixel_its_class():
    """Borders between cells are blurred by the resize; a network of one output says nothing."""
    read = reader()
    bank = collect_bank((read(item(seed)) for seed in range(6)), cells_per_image=64)
    assert bank.cells.shape == (6 * 30, 3)  # 5 x 6 labelled squares each
    metrics = judge(bank, (read(item(seed)) for seed in range(10, 14)), temperature=0.01)
    assert metrics['knn_mIoU'] > 70
    assert metrics['linear_mIoU'] > 70
    dead = reader()
    with torch.no_grad():
        dead.backbone.scale.zero_()
    bank = collect_bank((dead(item(seed)) for seed in range(6)), cells_per_image=64)
    collapsed = judge(bank, (dead(item(seed)) for seed in range(10, 14)))
    assert collapsed['knn_mIoU'] < 20
    assert collapsed['effective_rank'] == 0


def test_dense_neighbours_equal_a_loop_over_cells():
    read = reader()
    bank = collect_bank((read(item(seed)) for seed in range(3)), cells_per_image=10, seed=1)
    image = read(item(9))
    confusion = Confusion(CLASSES)
    features = F.normalize(bank.cells, dim=1)
    scores = torch.zeros(len(image.cells), CLASSES)
    for number, cell in enumerate(F.normalize(image.cells, dim=1)):
        likeness = features @ cell
        best = likeness.argsort(descending=True, stable=True)[:4]
        weights = (likeness[best] / 0.07).softmax(dim=0)
        scores[number] = (weights[:, None] * bank.shares[best]).sum(dim=0)
    painted = F.interpolate(scores.T.reshape(1, CLASSES, *image.size), (64, 64), mode='bilinear')
    confusion.add(painted.argmax(dim=1)[0], image.labels)
    found = judge(bank, [image, image], ['knn'], neighbours=4)
    assert found['knn_mIoU'] == pytest.approx(confusion.mean_iou(), abs=0.5)  # cosines tie


def test_mean_iou_is_that_of_mmseg():
    generator = torch.Generator().manual_seed(0)
    confusion, metric = Confusion(6), IoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = dict(classes=[str(number) for number in range(6)])
    for _ in range(3):
        labels, prediction = torch.randint(5, (2, 9, 11), generator=generator)
        labels[0] = 255
        confusion.add(prediction, labels)
        sample = dict(pred_sem_seg=dict(data=prediction[None]), gt_sem_seg=dict(data=labels[None]))
        metric.process({}, [sample])
    expected = metric.evaluate(size=3)['mIoU']
    assert confusion.mean_iou() == pytest.approx(expected, abs=0.006)


def test_the_choice_of_cells_follows_its_seed_and_leaves_the_generators_alone():
    read = reader()
    before = torch.get_rng_state()
    banks = [
        collect_bank((read(item(seed)) for seed in range(2)), cells_per_image=5, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(banks[0].cells, banks[1].cells)
    assert not torch.equal(banks[0].cells, banks[2].cells)
    with pytest.raises(ValueError, match='no labelled pixel'):
        collect_bank(iter(()), cells_per_image=5)


def test_the_probe_is_the_optimum_of_its_loss():
    """The gradient of the penalised loss vanishes there, and features of any scale give it."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 5, generator=generator).double() * 100 + 7
    shares = torch.rand(200, 3, generator=generator).double().softmax(dim=1)
    probe = fit_linear_probe(features, shares, weight_decay=0.1)
    logits = probe(features)
    inputs = (features - features.mean(dim=0)) / features.std(dim=0, correction=0)
    design = torch.cat([inputs, torch.ones(200, 1).double()], dim=1)
    weights = torch.linalg.lstsq(design, logits).solution
    gradient = design.T @ (logits.softmax(dim=1) - shares) / 200 + 0.1 * weights
    assert gradient.abs().max() < 1e-4
    rescaled = fit_linear_probe(features * 0.01 - 3, shares, weight_decay=0.1)
    torch.testing.assert_close(rescaled(features * 0.01 - 3), logits, atol=1e-4, rtol=1e-4)


def test_average_precision_leaves_out_classes_that_tell_nothing():
    scores = torch.tensor([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.1, 0.7, 0.5], [0.2, 0.3, 0.1]])
    truth = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]]).bool()
    # class 0: ranks 1 and 4 of 4 are right -> (1 + 2/4) / 2; the others are everywhere or nowhere
    assert mean_average_precision(scores, truth) == pytest.approx(75)


def test_unknown_protocols_and_unlabelled_images_are_errors():
    read = reader()
    bank = collect_bank((read(item(seed)) for seed in range(2)), cells_per_image=5)
    with pytest.raises(ValueError, match=r"protocols must be of .* got \('svm',\)"):
        judge(bank, [read(item(3))], ['svm'])
    with pytest.raises(ValueError, match='1 images are too few'):
        judge(bank, [read(item(3))])
    with pytest.raises(ValueError, match='without label maps'):
        read(dict(inputs=torch.zeros(3, 32, 32).byte(), data_samples=SegDataSample()))
