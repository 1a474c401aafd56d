"""The small language of the key maps and the reordering of Swin's patch merging."""

import pytest
import torch

from semcl_mm.checkpoint.renaming import Template, apply_renames, rename
from semcl_mm.checkpoint.tables import merge_to_unfold, unfold_to_merge


def test_a_template_calculates_in_both_directions():
    template = Template('features.{2i+1}.{j}.{rest}')
    assert template.match('features.5.0.attn.qkv.weight') == ({'i': 2, 'j': 0}, 'attn.qkv.weight')
    assert template.match('features.4.0.attn.qkv.weight') is None
    assert template.format({'i': 2, 'j': 0}, 'norm.bias') == 'features.5.0.norm.bias'


def test_a_template_never_yields_a_negative_number():
    assert Template('layers.{i+1}.downsample.{rest}').match('layers.0.downsample.norm.bias') is None


def test_a_point_in_a_template_is_a_point():
    assert Template('layers.{i}').match('layersX1') is None


def test_the_same_name_stands_for_the_same_number():
    assert Template('a.{i}.{i}').match('a.1.2') is None


def test_a_rule_for_the_last_stage_leaves_the_others_alone():
    rules = [rename('norm.{rest}', 'norm{L}.{rest}')]
    state = {'norm3.weight': torch.ones(1), 'norm1.weight': torch.zeros(1)}
    renamed = apply_renames(state, rules, reverse=True, last=3)
    assert renamed.state == {'norm.weight': torch.ones(1)}
    assert renamed.unknown == ['norm1.weight']


def test_two_keys_that_become_one_are_an_error():
    rules = [rename('a.{rest}', 'x'), rename('b.{rest}', 'x')]
    with pytest.raises(ValueError, match="'x'"):
        apply_renames({'a.1': torch.ones(1), 'b.1': torch.ones(1)}, rules)


def test_patch_merging_is_reordered_as_the_two_implementations_gather_pixels():
    """The weight is applied to pixels gathered by slices (original) and by unfold (mmpretrain)."""
    channels, out = 3, 5
    image = torch.randn(1, channels, 4, 4, dtype=torch.float64)
    weight = torch.randn(out, 4 * channels, dtype=torch.float64)
    slices = [image[:, :, h::2, w::2] for w in (0, 1) for h in (0, 1)]
    original = torch.einsum('bcyx,oc->boyx', torch.cat(slices, dim=1), weight)

    columns = torch.nn.functional.unfold(image, kernel_size=2, stride=2)
    ours = (merge_to_unfold(weight) @ columns).reshape(1, out, 2, 2)

    torch.testing.assert_close(ours, original)
    assert torch.equal(unfold_to_merge(merge_to_unfold(weight)), weight)
    norm = torch.randn(4 * channels)
    assert torch.equal(unfold_to_merge(merge_to_unfold(norm)), norm)
    assert not torch.equal(merge_to_unfold(norm), norm)
