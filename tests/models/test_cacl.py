"""One step of CACL against its equations as loops, and what enters its queues."""

import copy
import itertools
import math

import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from semcl_mm.models import CACL, DenseMLPHead

STRIDE, TAU = 4, 0.2


class Patches(nn.Module):
    """(N, 3, H, W) -> ((N, 6, H / 4, W / 4),)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, STRIDE, stride=STRIDE)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.conv(images).tanh(),)


def tiny_cacl(**options) -> CACL:
    torch.manual_seed(0)
    arguments = dict(
        backbone=Patches(),
        head=dict(type=DenseMLPHead, in_channels=6, out_channels=5),
        queue_size=7,
        temperature=TAU,
        output_stride=STRIDE,
        pixel_shuffle=False,
        data_preprocessor=BaseDataPreprocessor(),
    )
    model = CACL(**{**arguments, **options}).double().train()
    # The target has been left behind, as it is in training.
    with torch.no_grad():
        for parameter in (*model.target_backbone.parameters(), *model.target_heads.parameters()):
            parameter.add_(0.2 * torch.randn_like(parameter))
        for queue in model.queues.values():  # unit vectors in float64, too
            queue.slots.div_(queue.slots.norm(dim=1, keepdim=True))
    return model


def frames(batch: int = 2, seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 3, 2 * STRIDE, 3 * STRIDE)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]


def cells_one_by_one(backbone, head, image) -> list[Tensor]:
    """Embeddings of one image, row by row, each from its own patch of pixels."""
    rows, columns = (side // STRIDE for side in image.shape[-2:])
    cells = []
    for i, j in itertools.product(range(rows), range(columns)):
        patch = image[None, :, i * STRIDE : (i + 1) * STRIDE, j * STRIDE : (j + 1) * STRIDE]
        cells.append(head(backbone(patch)[-1]).flatten())
    return cells


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b) / (a.norm() * b.norm())


def nce(query: Tensor, key: Tensor, queue: Tensor) -> Tensor:
    """Eq. 1: -log of the positive's share."""
    positive = (cosine(query, key) / TAU).exp()
    return -(positive / (positive + sum((cosine(query, k) / TAU).exp() for k in queue))).log()


def losses_as_loops(model: CACL, v: Tensor, v_next: Tensor) -> dict[str, Tensor]:
    """Eq. 2 to 6, image by image and cell by cell."""
    total = {}
    for image, image_next in zip(v, v_next, strict=True):
        here, there = {}, {}
        for name in model.heads:
            here[name] = cells_one_by_one(model.backbone, model.heads[name], image)
            with torch.no_grad():
                there[name] = cells_one_by_one(
                    model.target_backbone, model.target_heads[name], image_next
                )
        terms = {}
        if 'global' in here:
            u, u_next = sum(here['global']), sum(there['global'])
            terms['loss_global'] = nce(u, u_next, model.queues['global'].slots)
        if 'pixel' in here:
            cells = []
            for i, p in enumerate(here['pixel']):
                m = i
                if model.match != 'position':
                    affinity = [cosine(here[model.match][i], k) for k in there[model.match]]
                    m = max(range(len(affinity)), key=affinity.__getitem__)
                cells.append(nce(p, there['pixel'][m], model.queues['pixel'].slots))
            terms['loss_pixel'] = sum(cells) / len(cells)
        if 'cycle' in here:
            terms['loss_cycle'] = cycle_as_loops(model, here, there)
        for name, value in terms.items():
            total[name] = total.get(name, 0) + value / len(v)
    return total


def cycle_as_loops(model: CACL, here: dict, there: dict) -> Tensor:
    c, c_next, queue = here['cycle'], there['cycle'], list(model.queues['cycle'].slots)
    forth = [softmax([cosine(a, b) for b in c_next]) for a in c]
    back = [softmax([cosine(b, a) for a in [*c, *queue]]) for b in c_next]
    total = 0
    for i in range(len(c)):
        arrives = [sum(forth[i][j] * back[j][m] for j in range(len(c))) for m in range(len(c))]
        if model.cycle_target == 'identity':
            total = total - arrives[i].log()
            continue
        ends = there if model.cycle_target == 'cross' else here
        with torch.no_grad():
            target = softmax([cosine(here['global'][i], u) for u in ends['global']])
        total = total + sum(t * (t.log() - m.log()) for t, m in zip(target, arrives, strict=True))
    return total / len(c)


def softmax(cosines: list[Tensor]) -> list[Tensor]:
    weights = [(value / TAU).exp() for value in cosines]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(cycle_target='self', match='pixel'),
        dict(cycle_target='identity', match='position'),
        dict(heads=('pixel',), match='position', cycle_target='identity'),
        dict(heads=('global', 'cycle')),
    ],
    ids=str,
)
def test_a_step_and_its_gradients_equal_equations_3_to_6_cell_by_cell(options):
    model = tiny_cacl(**options)
    slow = copy.deepcopy(model)
    losses, expected = model.loss(frames()), losses_as_loops(slow, *frames())
    assert {name for name in losses if 'loss' in name} == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=0, atol=1e-10, msg=name)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    sum(expected.values()).backward()
    for (name, parameter), other in zip(model.named_parameters(), slow.parameters(), strict=True):
        if name.startswith('target'):
            assert parameter.grad is None, name
        else:
            torch.testing.assert_close(parameter.grad, other.grad, rtol=0, atol=1e-9, msg=name)


def test_pixel_shuffle_changes_nothing_for_a_network_without_padding():
    """Rolled by whole cells and rolled back, each patch of pixels is the patch that it was."""
    model, shuffled = tiny_cacl(), tiny_cacl(pixel_shuffle=True)
    torch.testing.assert_close(model.loss(frames()), shuffled.loss(frames()), rtol=0, atol=1e-12)


def test_the_other_heads_only_listen_to_the_global_head():
    """Matches and soft targets come from it without a gradient into it (Eq. 4: argmax)."""
    model = tiny_cacl()
    losses = model.loss(frames())
    (losses['loss_pixel'] + losses['loss_cycle']).backward()
    assert not any(p.grad.any() for p in model.heads['global'].parameters())
    assert model.heads['pixel'].mlp[0].weight.grad.abs().max() > 0


def test_the_random_numbers_of_a_step_are_torchs_and_resume_with_it():
    model = tiny_cacl(pixel_shuffle=True, backbone=PaddedPatches())
    state = torch.get_rng_state()
    first = copy.deepcopy(model)
    losses = first.loss(frames())
    assert not torch.equal(losses['loss_pixel'], copy.deepcopy(model).loss(frames())['loss_pixel'])
    torch.set_rng_state(state)
    again = copy.deepcopy(model)
    torch.testing.assert_close(again.loss(frames()), losses, rtol=0, atol=0)
    assert torch.equal(again.queues['cycle'].features, first.queues['cycle'].features)


class PaddedPatches(Patches):
    """Zero padding, which makes a cell depend on how far the border is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 5, stride=STRIDE, padding=2)


@pytest.mark.parametrize('queued', [0, 1, 3])
def test_queues_take_key_means_and_distinct_key_cells_of_each_image(queued):
    model = tiny_cacl(queued_cells=queued)
    before = {name: queue.features.clone() for name, queue in model.queues.items()}
    model.loss(frames())
    for name, queue in model.queues.items():
        number = 2 * (queued if name != 'global' and queued else 1)
        assert torch.equal(queue.features[number:], before[name][number:])
        assert queue.filled == number
        rows = queue.features[:number].view(2, -1, 5)
        for image, own in zip(frames()[1], rows, strict=True):
            with torch.no_grad():
                cells = torch.stack(
                    cells_one_by_one(model.target_backbone, model.target_heads[name], image)
                )
            if name == 'global' or not queued:
                cells = cells.mean(dim=0, keepdim=True)
            cells = cells / cells.norm(dim=1, keepdim=True)
            found = torch.cdist(own, cells, compute_mode='donot_use_mm_for_euclid_dist')
            assert found.min(dim=1).values.max() < 1e-12
            assert found.argmin(dim=1).unique().numel() == len(own)


def test_without_any_information_the_losses_are_logarithms_of_the_choices():
    """All embeddings equal, the queues as well: log(1 + K), log(1 + K) and log(n + K)."""
    model = tiny_cacl(cycle_target='identity')
    for head in (*model.heads.values(), *model.target_heads.values()):
        nn.init.zeros_(head.mlp[-1].weight)
        nn.init.ones_(head.mlp[-1].bias)
    for queue in model.queues.values():
        queue.enqueue(torch.ones(7, 5, dtype=torch.float64))
    losses = model.loss(frames())
    assert losses['loss_global'].item() == pytest.approx(math.log(1 + 7))
    assert losses['loss_pixel'].item() == pytest.approx(math.log(1 + 7))
    assert losses['loss_cycle'].item() == pytest.approx(math.log(6 + 7))
    assert losses['global_std'] == losses['pixel_std'] == losses['cycle_std'] == 0


def test_identical_frames_match_in_place():
    model = tiny_cacl()
    model.reset_target()
    frame = frames()[0]
    assert model.loss([frame, frame])['matched_in_place'] == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(heads=('global', 'local')), 'heads'),
        (dict(heads=()), 'heads'),
        (dict(match='nearest'), 'match'),
        (dict(heads=('pixel',), cycle_target='identity'), 'position'),
        (dict(cycle_target='soft'), 'cycle_target'),
        (dict(heads=('cycle',)), 'global head'),
        (dict(queued_cells=-1), 'queued_cells'),
        (dict(temperature=0.0), 'temperature must be positive'),
        (dict(output_stride=0), 'output_stride must be positive'),
        (dict(queue_dtype='half'), "queue_dtype='half' must be one of"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny_cacl(**options)


def test_a_backbone_of_another_stride_and_a_single_view_are_refused():
    with pytest.raises(ValueError, match='output_stride=8'):
        tiny_cacl(output_stride=8).loss(frames())
    with pytest.raises(ValueError, match='two frames'):
        tiny_cacl().loss(frames()[:1])
    with pytest.raises(ValueError, match='queued_cells=7 of images with 6 cells'):
        tiny_cacl(queued_cells=7).loss(frames())


class OneMap(Patches):
    def forward(self, images):
        return super().forward(images)[0]


def test_a_backbone_may_return_its_map_alone():
    several, alone = (
        tiny_cacl(backbone=kind(), queued_cells=0).loss(frames()) for kind in (Patches, OneMap)
    )
    assert several == alone


class NoQuestions(TorchDispatchMode):
    """Fails on what would have to wait for a device: values that decide shapes or leave it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        assert name not in ('_local_scalar_dense', 'nonzero', 'masked_select', 'unique'), name
        return function(*args, **(kwargs or {}))


def test_a_step_asks_the_device_nothing():
    model = tiny_cacl(pixel_shuffle=True)
    for _ in range(2):  # the second writes what the first has enqueued
        with NoQuestions():
            losses = model.loss(frames())
            (losses['loss_global'] + losses['loss_pixel'] + losses['loss_cycle']).backward()
