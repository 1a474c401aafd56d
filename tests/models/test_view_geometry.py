"""Cells in a box, nearest cells and aligned maps against brute force and torchvision."""

import pytest
import torch
from torchvision.ops import roi_align

from semcl_mm.models.view_geometry import align_cells, has_area, in_box, nearest_cells


def random_boxes(count, seed=0, least=0.02):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.rand(count, 2, 2, generator=generator, dtype=torch.float64).sort(dim=1).values
    ends[:, 1] = torch.maximum(ends[:, 1], ends[:, 0] + least).clamp(max=1)
    return ends.flatten(1)  # x1, y1, x2, y2


def mirror(boxes):
    x1, y1, x2, y2 = boxes.T
    return torch.stack([1 - x2, y1, 1 - x1, y2], dim=1)


def test_floor_is_the_authors_slice():
    boxes = random_boxes(300)
    expected = torch.zeros(300, 7, 7, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(expected, boxes.tolist(), strict=True):
        mask[int(7 * y1) : int(7 * y2), int(7 * x1) : int(7 * x2)] = True
    assert torch.equal(in_box(boxes, 7, 7, 'floor'), expected.flatten(1))


@pytest.mark.parametrize('size', [(7, 7), (4, 9)])
def test_center_commutes_with_flips_and_floor_does_not(size):
    boxes = random_boxes(500)
    flips = {}
    for rule in ('center', 'floor'):
        mask = in_box(boxes, *size, rule).unflatten(1, size).flip(2).flatten(1)
        flips[rule] = (mask == in_box(mirror(boxes), *size, rule)).all(dim=1).double().mean()
    assert flips['center'] == 1
    assert flips['floor'] < 0.5


def test_center_covers_a_boxs_area_on_average():
    """Monte Carlo over shifted boxes that stay inside: the expected count is the exact area."""
    generator = torch.Generator().manual_seed(0)
    sides = 0.1 + 0.7 * torch.rand(20000, 2, generator=generator, dtype=torch.float64)
    # Shifts over whole cells: a box's phase relative to the cells is uniform.
    starts = torch.rand(20000, 2, generator=generator, dtype=torch.float64) / 7
    boxes = torch.cat([starts, starts + sides], dim=1)
    area = sides.prod(dim=1).mean()
    assert in_box(boxes, 7, 7, 'center').double().mean().item() == pytest.approx(
        area.item(), rel=0.01
    )


@pytest.mark.parametrize('rule', ['floor', 'center'])
def test_a_full_box_holds_all_cells_and_an_empty_one_none(rule):
    assert in_box(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), 5, 3, rule).all()
    assert not in_box(torch.zeros(1, 4), 5, 3, rule).any()


@pytest.mark.parametrize('query_flip', [False, True])
@pytest.mark.parametrize('key_flip', [False, True])
def test_nearest_cells_minimise_the_distance_in_the_photo(query_flip, key_flip):
    """Cell centres of both views in photo coordinates, all distances, their argmin."""
    generator = torch.Generator().manual_seed(2)
    height, width = 4, 5
    for trial in range(40):
        start = 0.5 * torch.rand(2, 2, generator=generator, dtype=torch.float64)
        sides = 0.5 + torch.rand(2, 2, generator=generator, dtype=torch.float64)
        low, high = start.amax(0), (start + sides).amin(0)
        centers, boxes = [], []
        for view, flip in enumerate((query_flip, key_flip)):
            x = (torch.arange(width, dtype=torch.float64) + 0.5) / width
            y = (torch.arange(height, dtype=torch.float64) + 0.5) / height
            shown = x.flip(0) if flip else x
            x_photo = start[view, 0] + shown * sides[view, 0]
            y_photo = start[view, 1] + y * sides[view, 1]
            grid = torch.stack(
                [x_photo.expand(height, -1), y_photo[:, None].expand(-1, width)], dim=-1
            )
            centers.append(grid.flatten(0, 1))
            box = torch.cat([(low - start[view]) / sides[view], (high - start[view]) / sides[view]])
            boxes.append(mirror(box[None]) if flip else box[None])
        mirrored = torch.tensor([query_flip != key_flip])
        found = nearest_cells(*boxes, mirrored, height, width)[0]
        expected = torch.cdist(*centers).argmin(dim=1)
        assert torch.equal(found, expected), trial


def test_aligned_cells_are_torchvisions_roi_align_mirrored_back():
    maps = torch.randn(6, 3, 5, 7, dtype=torch.float64)
    boxes, flipped = random_boxes(6, least=0.2), torch.arange(6) % 2 == 1
    regions = [box[None] * torch.tensor([7, 5, 7, 5]) for box in boxes]
    expected = roi_align(maps, regions, (5, 7), sampling_ratio=1, aligned=True)
    expected = torch.stack(
        [roi.flip(-1) if flip else roi for roi, flip in zip(expected, flipped, strict=True)]
    )
    torch.testing.assert_close(align_cells(maps, boxes, flipped), expected)


def test_aligned_cells_undo_what_crop_and_flip_did():
    """A map that is linear in the photo's coordinates is the same for both views."""
    x = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
    photo_x = x.expand(1, 1, 8, 8)
    left = photo_x * 0.5  # shows 0 … 0.5 of the photo
    right = (0.25 + photo_x * 0.5).flip(-1)  # shows 0.25 … 0.75, mirrored
    one = align_cells(left, torch.tensor([[0.5, 0, 1, 1]]), torch.tensor([False]))
    two = align_cells(right, torch.tensor([[0.5, 0, 1, 1]]), torch.tensor([True]))
    inner = (..., slice(1, -1))  # bilinear sampling cannot look beyond the outermost centres
    torch.testing.assert_close(one[inner], two[inner])


def test_an_empty_box_is_told():
    boxes = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0, 0, 0, 0], [0.1, 0.2, 0.1, 0.9]])
    assert has_area(boxes).tolist() == [True, False, False]


def test_an_unknown_rule_is_named():
    with pytest.raises(ValueError, match="mask='round'"):
        in_box(random_boxes(1), 7, 7, 'round')
