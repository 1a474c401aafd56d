"""Charts and the report show what the records say, and the page needs nothing else."""

import json
import math
import re

import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from test_tables import CELL, pretrained, record

from semcl_mm.analysis.charts import (
    bars,
    label_fractions,
    label_points,
    losses,
    monitors,
    start_colours,
)
from semcl_mm.analysis.comparison import compare
from semcl_mm.analysis.curves import read_scalars
from semcl_mm.analysis.paper_cells import read_paper_numbers
from semcl_mm.analysis.report import build_report, measured_tables
from semcl_mm.analysis.tables import measured_rows, paper_rows


@pytest.fixture
def numbers(repository):
    return read_paper_numbers(repository / 'configs' / 'paper_numbers.csv')


def limited(seed, value, share):
    return record(seed, value, label_subset={'fraction': share, 'seed': seed}, name=f'l{share}')


def test_a_bar_is_as_long_as_the_mean_over_seeds():
    figure = bars([record(0, 80.0), record(1, 84.0)])
    (bar,) = figure.axes[0].patches
    assert bar.get_width() == pytest.approx(82.0)
    with pytest.raises(ValueError, match='AP50'):
        bars([record()], 'AP50')


def test_a_run_without_a_subset_is_the_point_at_all_labels():
    runs = [record(0, 80.0), limited(0, 50.0, 0.1), limited(1, 54.0, 0.1)]
    assert label_points(runs) == {'random': {1.0: [80.0], 0.1: [50.0, 54.0]}}
    (line, *_) = label_fractions(runs).axes[0].lines
    assert line.get_xydata().tolist() == [[10.0, 52.0], [100.0, 80.0]]
    with pytest.raises(ValueError, match='part of the labels'):
        label_fractions(runs[:1])


def test_a_metric_that_nothing_defines_is_a_dash_and_no_mean(numbers):
    runs = [record(0, math.nan), record(1, 80.0)]
    assert [row.cells()[4:] for row in measured_rows(runs)] == [('80.00', '—', '1 (1 undefined)')]
    assert [row.cells()[4:] for row in measured_rows(runs[:1])] == [('—', '—', '0 (1 undefined)')]
    (bar,) = bars(runs).axes[0].patches
    assert bar.get_width() == pytest.approx(80.0)
    assert '<h1>Results</h1>' in build_report(runs[:1], numbers)
    with pytest.raises(ValueError, match=r'mIoU of \S+ is NaN'):
        compare(runs, runs[0]['name'], runs[1]['name'], 'mIoU')
    (row, *_) = paper_rows(numbers, [], 'SemCL', '2')
    row.values.append(math.nan)
    assert row.cells()[4:] == ('—', '—', '0 (1 undefined)')


def test_half_a_last_line_of_a_log_is_left_out_and_other_damage_named(tmp_path):
    (tmp_path / 'scalars.json').write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert read_scalars(tmp_path / 'scalars.json') == [{'step': 1, 'loss': 2.0}]
    (tmp_path / 'scalars.json').write_text('{"step": 1, "lo\n{"step": 2, "loss": 2.0}\n')
    with pytest.raises(ValueError, match=r'scalars\.json:1: not JSON'):
        read_scalars(tmp_path / 'scalars.json')


def test_what_monitors_measured_is_drawn_by_value_and_experiment_with_a_line_per_seed(tmp_path):
    def run(name, *lines):
        folder = tmp_path / name / '1' / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text('\n'.join(json.dumps(line) for line in lines))
        return tmp_path / name

    runs = [
        run('a_seed0', {'step': 1, 'loss': 3.0}, {'step': 2, 'loss': 2.0, 'monitor/knn_mIoU': 9.0}),
        run('a_seed1', {'step': 1, 'loss': 3.0, 'monitor/knn_mIoU': 8.0}),
        run('b_seed0', {'step': 1, 'loss': 1.0}),
    ]
    (panel,) = (axis for axis in monitors(runs).axes if axis.get_visible())
    assert panel.get_title() == 'knn_mIoU\na'
    assert [line.get_xydata().tolist() for line in panel.lines] == [[[2.0, 9.0]], [[1.0, 8.0]]]
    panels = [axis for axis in losses(runs).axes if axis.get_visible()]
    assert [(axis.get_title(), len(axis.lines)) for axis in panels] == [('a', 2), ('b', 1)]
    assert monitors(runs[2:]) is None
    headings = [f'<h2>{name}</h2>' for name in ('Losses', 'During pretraining')]
    assert [h in build_report([], [], runs=runs) for h in headings] == [True, True]
    assert [h in build_report([], [], runs=runs[2:]) for h in headings] == [True, False]


def test_the_report_is_one_file_that_escapes_names_and_links_to_nothing(numbers, tmp_path):
    Image.new('RGB', (3000, 10)).save(tmp_path / 'a<b.png')
    runs = [record(0, 81.0, initialised_from=pretrained('SemCL'), paper_cell=CELL)]
    assert measured_tables(runs, numbers) == [('SemCL', '2')]
    page = build_report(
        runs, numbers, 'A & B', [('SemCL', '2')], (), [tmp_path / 'a<b.png'], notes=['<x> failed']
    )
    assert '<h1>A &amp; B</h1>' in page
    assert '&lt;x&gt; failed' in page
    assert '<figcaption>a&lt;b.png</figcaption>' in page
    assert page.count('<tr class="ours">') == 2  # in our table, and one row of the paper's 40
    assert page.count('81.73') == 1
    links = re.findall(r'(?:src|href)="(.{5})', page) + re.findall(r'url\(|@import', page)
    assert set(links) == {'data:'}


def test_every_printed_table_can_be_shown_and_nothing_unmeasured_is_ours(numbers):
    for place in {(number['paper'], number['table']) for number in numbers}:
        rows = paper_rows(numbers, [], *place)
        assert rows
        assert {row.cells()[4:] for row in rows} == {('—', '—', '0')}


def twice(config_hash, seed, value, share=None, **entries):
    """A run from a pretraining whose config file is the same and whose options are not."""
    start = pretrained('SemCL')
    start['run'] |= {'config_hash': config_hash, 'seed': seed}
    subset = share and {'fraction': share, 'seed': seed}
    return record(seed, value, initialised_from=start, label_subset=subset, **entries)


def test_two_starts_of_one_config_stay_apart_and_a_repeated_seed_counts_once():
    runs = [
        twice('aaaa1', 0, 10.0, 0.1, started='2026-01-02'),
        twice('aaaa1', 0, 99.0, 0.1, started='2026-01-01'),  # run again: the newer counts
        twice('aaaa1', 1, 12.0, 0.1),
        twice('bbbb2', 0, 50.0, 0.1),
    ]
    points = label_points(runs)
    assert {start: sorted(by[0.1]) for start, by in points.items()} == {
        'SemCL (voc) aaaa': [10.0, 12.0],
        'SemCL (voc) bbbb': [50.0],
    }
    assert {row.initial for row in measured_rows(runs)} == set(points)


def test_a_start_has_one_colour_in_bars_and_curves():
    runs = [
        record(0, 80.0, name='a'),
        twice('aaaa1', 0, 70.0),
        twice('aaaa1', 0, 60.0, 0.1),
        twice('bbbb2', 0, 50.0, 0.1, config='configs/segmentation/other.py'),
        record(0, 40.0, config='configs/segmentation/other.py'),
    ]
    colours = start_colours(runs)
    assert len(set(colours.values())) == 3
    for bar, label in zip(
        bars(runs).axes[0].patches, bars(runs).axes[0].get_yticklabels(), strict=True
    ):
        (start,) = [s for s in colours if f'· {s} (' in label.get_text()]
        assert to_rgb(bar.get_facecolor()) == to_rgb(colours[start])
    for axis in label_fractions(runs).axes:
        for line, text in zip(*axis.get_legend_handles_labels(), strict=True):
            assert to_rgb(line.lines[0].get_color()) == to_rgb(colours[text])
