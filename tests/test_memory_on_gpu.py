"""On a GPU a memory holds what it holds on the CPU, and neither writing nor reading waits."""

import pytest
import torch

from semcl_mm.losses.pixel_contrast import PixelContrastLoss
from semcl_mm.memory import FeatureQueue, RegionMemoryBank

pytestmark = pytest.mark.gpu
CLASSES, DIM = 3, 6


@pytest.fixture
def no_waiting():
    """Reports any operation between entering and leaving that waits for the device."""

    class Guard:
        def __enter__(self):
            torch.cuda.set_sync_debug_mode('error')

        def __exit__(self, *error):
            torch.cuda.set_sync_debug_mode('default')

    return Guard()


def images(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two images, a class on 6 pixels of each: a bank that takes 8 keeps all."""
    generator = torch.Generator().manual_seed(step)
    embeddings = torch.randn(2, DIM, 4, 6, generator=generator)
    labels = torch.arange(24).view(1, 4, 6).expand(2, -1, -1) % (CLASSES + 1)
    labels = torch.where(labels == CLASSES, 255, labels)
    return embeddings, labels, torch.tensor([step, 7 + step % 2])


def test_a_queue_is_that_of_the_cpu(no_waiting):
    queue = FeatureQueue(DIM, 10)
    twin = FeatureQueue(DIM, 10).cuda()
    twin.load_state_dict(queue.state_dict())
    batches = [torch.randn(count, DIM) for count in (3, 4, 23, 0, 5)]
    moved = [batch.cuda() for batch in batches]
    for batch in batches:
        queue.enqueue(batch)
        queue.flush()
    with no_waiting:
        for batch in moved:
            twin.enqueue(batch)
            twin.flush()
    torch.testing.assert_close(twin.features.cpu(), queue.features)
    assert int(twin.pointer) == int(queue.pointer)
    assert int(twin.filled) == int(queue.filled) == 10


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_a_bank_is_that_of_the_cpu(no_waiting, dtype):
    bank, twin = (
        RegionMemoryBank(CLASSES, DIM, 9, 100, pixels_per_image=8, dtype=dtype) for _ in range(2)
    )
    twin.cuda()
    steps = [images(step) for step in range(5)]
    moved = [[tensor.cuda() for tensor in step] for step in steps]
    for step in steps:
        bank.update(*step)
        bank.flush()
    with no_waiting:
        for step in moved:
            twin.update(*step)
            twin.flush()
        features, classes = twin.keys()
    expected, expected_classes = bank.keys()
    assert torch.equal(classes.cpu(), expected_classes)
    regions, expected = (x.view(CLASSES, 109, DIM).float() for x in (features.cpu(), expected))
    torch.testing.assert_close(regions[:, :9], expected[:, :9], rtol=0.01, atol=1e-5)
    # pixels of an image come in another random order: compare them as a set
    filled = 5 * 2 * 6
    for one, other in zip(regions[:, 9:], expected[:, 9:], strict=True):
        assert not one[filled:].any()
        nearest = torch.cdist(one[:filled], other[:filled]).amin(dim=1)
        assert nearest.max() < 0.02


@pytest.mark.parametrize('sampling', ['all', 'random', 'semi-hard'])
@pytest.mark.parametrize('mode', ['random', 'segmentation-aware', 'hard-easy'])
def test_contrast_with_a_memory_never_waits(no_waiting, sampling, mode):
    loss = PixelContrastLoss(
        CLASSES, anchors_per_class=4, anchor_mode=mode, key_sampling=sampling, num_positives=5,
        num_negatives=9,
    )  # fmt: skip
    bank = RegionMemoryBank(CLASSES, DIM, 9, 40, pixels_per_image=8).cuda()
    steps = [[tensor.cuda() for tensor in images(step)] for step in range(4)]
    predictions = [step[1].roll(1, -1) for step in steps]
    leaves = [step[0].clone().requires_grad_() for step in steps]

    def train(step: int) -> torch.Tensor:
        value = loss(leaves[step], steps[step][1], predictions[step], bank)
        value.backward()
        bank.update(*steps[step])
        return value

    train(0)  # the first step may allocate
    train(1)
    with no_waiting:
        train(2)
        value = train(3)
    assert value.isfinite()
    assert value > 0
    assert leaves[3].grad.isfinite().all()


@pytest.mark.parametrize('intra_image', [False, True])
def test_contrast_within_a_batch_never_waits_and_is_that_of_the_cpu(no_waiting, intra_image):
    embeddings, labels, _ = images(0)
    # every pixel of a class is an anchor: chance has no say
    loss = PixelContrastLoss(
        CLASSES, anchors_per_class=12, anchor_mode='random', intra_image=intra_image
    )
    leaf, twin = embeddings.clone().requires_grad_(), embeddings.cuda().requires_grad_()
    expected = loss(leaf, labels)
    labels = labels.cuda()
    loss(twin, labels)
    with no_waiting:
        found = loss(twin, labels)
        (gradient,) = torch.autograd.grad(found, twin)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        gradient.cpu(), *torch.autograd.grad(expected, leaf), rtol=1e-4, atol=1e-5
    )
