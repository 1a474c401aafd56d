"""Depth configs name the papers' cells, and their parts agree on what depth is."""

from pathlib import Path

import pytest
from mmengine.config import Config

from semcl_mm.analysis.paper_cells import read_paper_numbers

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted((CONFIGS / 'depth').glob('*.py'))
CELLS = [p for p in LEAVES if 'paper_cell' in p.read_text()]


def test_every_own_depth_number_of_the_papers_has_a_config():
    """SemCL's rows, and those of the local-to-global table that are its own."""
    named = set()
    for path in CELLS:
        cell = Config.fromfile(path).paper_cell
        for metric in cell.metric:
            named.add((cell.paper, cell.dataset, cell.variant or cell.backbone, metric))
    own = set()
    for row in read_paper_numbers(CONFIGS / 'paper_numbers.csv'):
        if row['task'] == 'depth' and row['model'] in ('', 'Ours'):
            place = row['backbone'] if row['paper'] == 'SemCL' else row['variant']
            own.add((row['paper'], row['dataset'], place, row['metric']))
    assert named == own
    assert len(named) == 36


@pytest.mark.parametrize('path', CELLS, ids=lambda p: p.stem)
def test_the_header_quotes_the_numbers_of_its_cell(path):
    cell, header = Config.fromfile(path).paper_cell, path.read_text().split('"""')[1]
    for row in read_paper_numbers(CONFIGS / 'paper_numbers.csv'):
        same = all(row[key] == cell[key] for key in ('paper', 'table', 'dataset', 'backbone'))
        if same and row['variant'] == (cell.variant or 'SemCL') and row['metric'] in cell.metric:
            printed = f'{row["value"]:.3f}'
            assert f'{row["metric"]} {printed}' in header or (
                f'{row["metric"]} {printed.removeprefix("0")}' in header
            )


@pytest.mark.parametrize('path', LEAVES, ids=lambda p: p.stem)
def test_head_metric_and_padding_agree_on_what_depth_is(path):
    cfg = Config.fromfile(path)
    assert cfg.model.decode_head.max_depth == cfg.val_evaluator.max_depth == cfg.max_depth
    assert cfg.model.data_preprocessor.seg_pad_val == 0
    assert cfg.test_dataloader == cfg.val_dataloader
    crop = next(t for t in cfg.train_dataloader.dataset.pipeline if 'crop_size' in t)
    assert tuple(cfg.model.data_preprocessor['size']) == tuple(crop.crop_size)
