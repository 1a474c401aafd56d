"""One step of MoCo, DenseCL and PixCon against their equations, image by image and cell by cell."""

import copy

import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from tiny_networks import TinyBackbone
from torch import Tensor

from semcl_mm.models import DenseCL, DenseMLPHead, MLPHead, MoCo, PixCon, ViewBatch
from semcl_mm.models.view_geometry import align_cells

TAU, BATCH, SIDE = 0.2, 3, 4  # 8 x 8 pixels, maps of 4 x 4 cells
PREDICTORS = dict(
    predictor=dict(type=MLPHead, in_channels=6, hidden_channels=7, out_channels=6),
    dense_predictor=dict(
        type=DenseMLPHead, in_channels=6, out_channels=6, norm_cfg=dict(type='BN')
    ),
)


def tiny(method, **options):
    """A method in float64 whose target has been left behind, as it is in training."""
    torch.manual_seed(0)
    arguments = dict(
        backbone=TinyBackbone(batch_norm=True),
        projector=dict(
            type=MLPHead,
            in_channels=8,
            hidden_channels=9,
            out_channels=6,
            last_norm=False,
            bias=True,
        ),
        queue_size=11,
        temperature=TAU,
        data_preprocessor=BaseDataPreprocessor(),
    )
    if method is not MoCo:
        arguments['dense_projector'] = dict(
            type=DenseMLPHead, in_channels=8, hidden_channels=9, out_channels=6,
            norm_cfg=dict(type='BN'),
        )  # fmt: skip
    model = method(**{**arguments, **options}).double().train()
    with torch.no_grad():
        for target, _ in model.parameter_pairs():
            target.add_(0.3 * torch.randn_like(target))
        for queue in model.queues.values():  # unit vectors in float64, too
            queue.slots.div_(queue.slots.norm(dim=1, keepdim=True))
    return model


def views(seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (BATCH, 3, 2 * SIDE, 2 * SIDE)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]


def batch_of_boxes():
    boxes = torch.tensor(
        [
            [[0.1, 0.0, 0.9, 0.7], [0.0, 0.4, 1.0, 1.0]],
            [[0.3, 0.3, 0.4, 0.4], [0.2, 0.0, 0.6, 0.3]],
            [[0.0, 0.0, 1.0, 1.0], [0.3, 0.2, 0.9, 0.8]],
        ],
        dtype=torch.float64,
    )
    flipped = torch.tensor([[False, True], [True, True], [True, False]])
    return ViewBatch(boxes, flipped, [])


def unit(x: Tensor) -> Tensor:
    return x / x.norm()


def nce(query, key, negatives):
    """-log softmax of the positive, one query."""
    logits = torch.stack([unit(query) @ unit(other) for other in (key, *negatives)]) / TAU
    return -(logits[0] - logits.logsumexp(0))


def slow_loss(model, inputs, batch, positives=None, weigh=None):
    """Losses by name, summed over the directions; the networks see one view at a time."""
    online, target = [], []
    for view in inputs:
        maps = model.backbone(view)
        entry = dict(maps=maps[-1].detach(), image=model.projector(maps))
        if model.predictor is not None:
            entry['image'] = model.predictor(entry['image'])
        if hasattr(model, 'dense_projector'):
            entry['cells'] = model.dense_projector(maps)
            if model.dense_predictor is not None:
                entry['cells'] = model.dense_predictor(entry['cells'])
        online.append(entry)
        with torch.no_grad():
            maps = model.target_backbone(view)
            entry = dict(maps=maps[-1], image=model.target_projector(maps))
            if hasattr(model, 'dense_projector'):
                entry['cells'] = model.target_dense_projector(maps)
        target.append(entry)
    queues = {name: queue.features for name, queue in model.queues.items()}
    image = dense = 0
    for ask in (0, 1) if model.symmetric else (0,):
        query, key = online[ask], target[1 - ask]
        image = (
            image
            + sum(nce(query['image'][b], key['image'][b], queues['image']) for b in range(BATCH))
            / BATCH
        )
        if positives is None:
            continue
        total = norm = 0
        for b in range(BATCH):
            found = [positives(query, key, batch, b, i, ask) for i in range(SIDE * SIDE)]
            weights = weigh(found, batch.boxes[b, ask].tolist())
            for (q, k, _), weight in zip(found, weights, strict=True):
                total = total + weight * nce(q, k, queues['dense'])
                norm = norm + weight
        dense = dense + total / norm
    return image, dense


def cell(entry, name, b, i):
    return entry[name][b, :, i // SIDE, i % SIDE]


def most_similar(query, key, batch, b, i, ask):
    cosines = [
        (unit(cell(query, 'maps', b, i)) @ unit(cell(key, 'maps', b, j))).item()
        for j in range(SIDE * SIDE)
    ]
    best = max(range(SIDE * SIDE), key=cosines.__getitem__)
    return cell(query, 'cells', b, i), cell(key, 'cells', b, best), cosines[best]


def photo_place(i, box, flip):
    """Centre of cell i in the frame of the common part."""
    x, y = (i % SIDE + 0.5) / SIDE, (i // SIDE + 0.5) / SIDE
    x1, y1, x2, y2 = box
    u, v = (x - x1) / (x2 - x1), (y - y1) / (y2 - y1)
    return (1 - u if flip else u), v


def nearest(query, key, batch, b, i, ask):
    own = photo_place(i, batch.boxes[b, ask].tolist(), batch.flipped[b, ask])
    distances = []
    for j in range(SIDE * SIDE):
        other = photo_place(j, batch.boxes[b, 1 - ask].tolist(), batch.flipped[b, 1 - ask])
        distances.append((own[0] - other[0]) ** 2 + (own[1] - other[1]) ** 2)
    best = min(range(SIDE * SIDE), key=distances.__getitem__)
    return cell(query, 'cells', b, i), cell(key, 'cells', b, best), None


def same_aligned_cell(query, key, batch, b, i, ask):
    own, other = (
        align_cells(entry['cells'], batch.boxes[:, view], batch.flipped[:, view])
        for entry, view in ((query, ask), (key, 1 - ask))
    )
    return cell(dict(a=own), 'a', b, i), cell(dict(a=other), 'a', b, i), None


def equally(found, box):
    return [1.0] * len(found)


def inside(i, box, rule):
    x1, y1, x2, y2 = box
    row, column = i // SIDE, i % SIDE
    if rule == 'floor':
        return int(SIDE * y1) <= row < int(SIDE * y2) and int(SIDE * x1) <= column < int(SIDE * x2)
    return x1 < (column + 0.5) / SIDE < x2 and y1 < (row + 0.5) / SIDE < y2


def by_place(rule):
    return lambda found, box: [float(inside(i, box, rule)) for i in range(len(found))]


def by_meaning(rule):
    def weigh(found, box):
        similarity = [s for *_, s in found]
        outside = [s for i, s in enumerate(similarity) if not inside(i, box, rule)]
        low, high = min(similarity), max(outside, default=1.0)
        return [
            1.0 if inside(i, box, rule) else ((s - low) / (high - low)) ** 2
            for i, s in enumerate(similarity)
        ]

    return weigh


DENSE = {
    'densecl': (DenseCL, {}, most_similar, equally),
    'densecl, predictors': (DenseCL, PREDICTORS, most_similar, equally),
    'sim': (PixCon, PREDICTORS, most_similar, equally),
    'sim, one way': (PixCon, dict(PREDICTORS, symmetric=False), most_similar, equally),
    'sr floor': (PixCon, dict(PREDICTORS, reweight=True), most_similar, by_meaning('floor')),
    'sr center': (
        PixCon,
        dict(PREDICTORS, reweight=True, mask='center'),
        most_similar,
        by_meaning('center'),
    ),
    'coord nearest': (
        PixCon,
        dict(PREDICTORS, match='nearest', mask='center'),
        nearest,
        by_place('center'),
    ),
    'coord roi_align': (PixCon, dict(PREDICTORS, match='roi_align'), same_aligned_cell, equally),
}


def gradients(model):
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def compare_with_loops(model, *oracle):
    slow, inputs, batch = copy.deepcopy(model), views(), batch_of_boxes()
    losses = model.loss(inputs, batch)
    total = sum(value for name, value in losses.items() if 'loss' in name)
    total.backward()
    image, dense = slow_loss(slow, inputs, batch, *oracle)
    share = getattr(model, 'dense_weight', 0)
    ((1 - share) * image + share * dense).backward()
    torch.testing.assert_close(losses['loss_image'], (1 - share) * image)
    if share:
        torch.testing.assert_close(losses['loss_dense'], share * dense)
    expected = gradients(slow)
    assert gradients(model).keys() == expected.keys()
    assert not any(name.startswith('target_') for name in expected)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


@pytest.mark.parametrize('symmetric', [False, True])
def test_moco_is_its_equation(symmetric):
    options = dict(predictor=PREDICTORS['predictor']) if symmetric else {}
    compare_with_loops(tiny(MoCo, symmetric=symmetric, **options))


@pytest.mark.parametrize('case', DENSE)
def test_dense_method_is_its_equation(case):
    method, options, *oracle = DENSE[case]
    compare_with_loops(tiny(method, **options), *oracle)


def test_every_trained_parameter_gets_a_gradient():
    """DDP stops at the first that does not."""
    model = tiny(PixCon, **PREDICTORS, reweight=True)
    losses = model.loss(views(), batch_of_boxes())
    (losses['loss_image'] + losses['loss_dense']).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith('target_'), name


def test_semantic_weights_never_make_a_nan_even_without_common_part_or_difference():
    model = tiny(PixCon, **PREDICTORS, reweight=True)
    flat = [torch.ones_like(view) for view in views()]  # all cells are equal
    for boxes in (torch.zeros(BATCH, 2, 4), torch.tensor([0.0, 0, 1, 1]).expand(BATCH, 2, 4)):
        batch = ViewBatch(boxes.double(), torch.zeros(BATCH, 2, dtype=torch.bool), [])
        losses = model.loss(flat, batch)
        (losses['loss_image'] + losses['loss_dense']).backward()
        assert all(value.isfinite() for value in losses.values())
    assert all(g.isfinite().all() for g in gradients(model).values())


@pytest.mark.parametrize('match', ['nearest', 'roi_align'])
def test_views_without_a_common_part_have_no_coordinate_loss(match):
    model = tiny(PixCon, **PREDICTORS, match=match, mask='center')
    batch = ViewBatch(
        torch.zeros(BATCH, 2, 4, dtype=torch.double), torch.zeros(BATCH, 2, dtype=torch.bool), []
    )
    losses = model.loss(views(), batch)
    assert losses['loss_dense'] == 0
    losses['loss_dense'].backward()
    assert all(g.isfinite().all() for g in gradients(model).values())


@pytest.mark.parametrize('symmetric', [False, True])
def test_queues_keep_the_keys_of_one_view(symmetric):
    """Image keys, and the mean of the key cells; which view's is tossed where both answer."""
    seen = set()
    for seed in range(8):
        model = tiny(PixCon, **PREDICTORS, symmetric=symmetric)
        with torch.no_grad():
            keys = []
            for view in views():
                maps = copy.deepcopy(model.target_backbone)(view)
                dense = copy.deepcopy(model.target_dense_projector)(maps).mean(dim=(2, 3))
                keys.append((copy.deepcopy(model.target_projector)(maps), dense))
        torch.manual_seed(seed)
        model.loss(views(), batch_of_boxes())
        found = []
        for view, (image, dense) in enumerate(keys):
            kept = model.queues['image'].features[:BATCH], model.queues['dense'].features[:BATCH]
            wanted = [torch.nn.functional.normalize(key, dim=1) for key in (image, dense)]
            if all(torch.allclose(*pair) for pair in zip(kept, wanted, strict=True)):
                found.append(view)
        assert len(found) == 1
        seen.update(found)
    assert seen == ({0, 1} if symmetric else {1})


def test_cosine_image_loss_is_byols_and_has_no_queue():
    model = tiny(MoCo, image_loss='cosine', symmetric=True, predictor=PREDICTORS['predictor'])
    assert not list(model.queues)
    slow, inputs = copy.deepcopy(model), views()
    loss = model.loss(inputs)['loss_image']
    expected = 0
    for ask in (0, 1):
        query = slow.predictor(slow.projector(slow.backbone(inputs[ask])))
        key = slow.target_projector(slow.target_backbone(inputs[1 - ask]))
        pairs = zip(query, key, strict=True)
        expected += sum(((unit(q) - unit(k)) ** 2).sum() for q, k in pairs) / BATCH
    torch.testing.assert_close(loss, expected)


def test_collapse_shows_in_feature_std():
    model = tiny(MoCo)
    alive = model.loss(views())['feature_std']
    torch.nn.init.zeros_(model.projector.mlp[-1].weight)
    assert model.loss(views())['feature_std'] < 1e-6 < 0.3 < alive


def test_state_dict_carries_the_queues_and_names_the_encoders():
    state = tiny(PixCon, **PREDICTORS).state_dict()
    prefixes = {name.split('.')[0] for name in state}
    assert prefixes >= {'backbone', 'projector', 'dense_projector', 'dense_predictor'}
    assert prefixes >= {'target_backbone', 'target_projector', 'target_dense_projector'}
    assert {'queues.image.slots', 'queues.dense.pointer'} <= state.keys()


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="reweight=True needs match='similarity'"):
        tiny(PixCon, match='nearest', reweight=True)
    with pytest.raises(ValueError, match="match='nearst' must be one of"):
        tiny(PixCon, match='nearst')
    with pytest.raises(ValueError, match='collapses without a predictor'):
        tiny(MoCo, image_loss='cosine')
    with pytest.raises(ValueError, match='takes two views, got 3'):
        tiny(MoCo).loss([*views(), views()[0]])
    with pytest.raises(ValueError, match='needs the boxes'):
        tiny(PixCon).loss(views())
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        tiny(MoCo, temperature=0)
    with pytest.raises(ValueError, match="queue_dtype='bf16' must be one of"):
        tiny(MoCo, queue_dtype='bf16')
    with pytest.raises(ValueError, match="half_products=True needs queue_dtype='bfloat16'"):
        tiny(DenseCL, half_products=True)


@pytest.mark.parametrize('match', ['roi_align', 'nearest'])
def test_places_are_not_matched_between_views_of_two_sizes(match):
    first, second = views()
    with pytest.raises(ValueError, match=r'views of one size, got maps of \(4, 4\) and \(4, 2\)'):
        tiny(PixCon, match=match, symmetric=False).loss([first, second[..., :4]], batch_of_boxes())


class OneMap(TinyBackbone):
    def forward(self, images):
        return super().forward(images)[0]


@pytest.mark.parametrize('method', [MoCo, DenseCL, PixCon])
def test_a_backbone_may_return_its_map_alone(method):
    losses = []
    for kind in (TinyBackbone, OneMap):
        torch.manual_seed(0)
        model = tiny(method, backbone=kind(batch_norm=True))
        losses.append(model.loss(views(), batch_of_boxes()))
    assert losses[0] == losses[1]
