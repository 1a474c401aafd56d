"""The suites of the papers' tables: what they run is what may stand beside the printed numbers."""

from pathlib import Path

import pytest

from semcl_mm.analysis.paper_cells import choose_cells, counts_for, read_paper_numbers
from semcl_mm.suite.command_line import load_suite
from semcl_mm.suite.facts import expected_record, read_facts
from semcl_mm.suite.paper_tables import PAPER_NUMBERS
from semcl_mm.suite.starts import check_starts


@pytest.fixture
def load(repository, tmp_path, monkeypatch):
    """Loads a suite of the tree where the files exist that it starts from."""
    monkeypatch.chdir(tmp_path)

    def run(name, change=None, **seeds):
        text = (repository / 'suites' / f'{name}.py').read_text()
        if change:
            assert change[0] in text
            text = text.replace(*change)
        path = tmp_path / f'{name}.py'
        path.write_text(text)
        for line in text.split("'"):
            if line.endswith('.pth'):
                Path(line).parent.mkdir(exist_ok=True)
                Path(line).touch()
        return load_suite(str(path), **seeds)

    return run


def filled(suite, cells, **change):
    """The printed numbers that the cells' finished runs will stand beside."""
    facts, by_name = read_facts(cells), {cell.name: cell for cell in cells}
    numbers = choose_cells(read_paper_numbers(PAPER_NUMBERS), suite.paper, suite.table)
    found = []
    for cell in cells:
        if cell.kind == 'downstream':
            record = {**expected_record(cell, by_name, facts), **change}
            found += [number for number in numbers if counts_for(record, number)]
    return numbers, found


@pytest.mark.parametrize('name', ['pixel_contrast_table_4', 'pixel_contrast_table_readme'])
def test_pixel_contrast_starts_from_imagenet_and_random_runs_fill_no_row(load, name):
    suite, cells = load(name)
    assert all(cell.start_file.endswith('.pth') for cell in cells)
    _, found = filled(suite, cells)
    assert len(found) >= len(cells)
    assert filled(suite, cells, initialised_from='random')[1] == []
    made_here = {'checkpoint': 'x.pth', 'run': {'algorithm': 'SemCL', 'as_published': True}}
    assert filled(suite, cells, initialised_from=made_here)[1] == []


def test_a_suite_without_the_starts_that_its_table_needs_is_refused(load):
    with pytest.raises(ValueError, match=r'starts: hrnet-w48_cityscapes_\S+ needs a file'):
        load('pixel_contrast_table_1', change=('starts', '_unused'))


def places(numbers):
    keys = ('table', 'dataset', 'model', 'backbone', 'variant', 'metric')
    return {tuple(number[key] for key in keys) for number in numbers}


@pytest.mark.parametrize(
    ('name', 'right', 'wrong', 'message'),
    [
        ('semcl_table_4', 'starts = {', '_unused = {', r'starts: (r50|swin-t)_\S+ needs a file'),
        ('cacl_table_2', 'starts = {', '_unused = {', r'starts: r50_k400\S* needs a file'),
        ('semcl_table_4', "'swin-t':", "'swin_t':", r"starts: unknown key 'swin_t'; .*swin-t"),
        ('cacl_table_2', "{\n    'r50': {", "{\n    'r5O': {", r"baselines: unknown key 'r5O'"),
        ('semcl_table_4', 'Swin IN-22k', 'Swin IN-21k', r"variant 'Swin IN-21k': .* Swin IN-22k"),
        ('pixcon_table_2', 'voc12aug', 'voc12agu', r"seeds: unknown key 'voc12agu'; .*voc12aug"),
    ],
)
def test_a_name_that_no_run_of_the_table_has_is_refused(load, name, right, wrong, message):
    with pytest.raises(ValueError, match=message):
        load(name, change=(right, wrong))


@pytest.mark.parametrize('name', ['cacl_table_1', 'cacl_table_2', 'cacl_table_3'])
def test_every_own_row_of_cacls_linear_protocol_is_run_once(load, name):
    """And MoCo v2 on ImageNet, from which they start. Other rows are other groups' or data."""
    suite, cells = load(name)
    numbers, found = filled(suite, cells)
    own = ('CACL', '2heads', 'MoCo-v2')
    expected = [
        n
        for n in numbers
        if n['model'] in ('R18', 'R50')
        or (n['model'][4:] in own and 'K400' in n['variant'])
        or (n['model'], n['variant']) == ('R50 MoCo-v2', 'IN')
    ]
    assert places(found) == places(expected)
    assert len(found) == len(expected)
    assert {n['table'] for n in numbers} == ({'1a', '1b', '1c'} if name[-1] == '1' else {name[-1]})


PRETRAININGS = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / 'suites').glob('*_table_*.py')
    if not path.stem.startswith('pixel_contrast')  # starts from files alone
)
QUICK = 'cacl_table_4', 'pixcon_table_2'


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in PRETRAININGS]
)
def test_every_pretraining_fills_the_backbones_of_its_tasks(load, name):
    cells = load(name)[1]
    started = [cell for cell in cells if cell.start]
    assert started
    check_starts(started, read_facts(cells))


@pytest.mark.parametrize('table', ['2', '4', '6'])
def test_every_number_of_semcls_tables_is_run_baselines_too(load, table):
    suite, cells = load(f'semcl_table_{table}')
    numbers, found = filled(suite, cells)
    assert places(found) == places(numbers)
    assert len(found) == len(numbers)


def test_pixcons_tables_hold_detection_and_as_many_runs_as_the_paper_averages(load):
    suite, cells = load('pixcon_table_7')
    _, found = filled(suite, cells)
    runs = {}
    for number in found:
        place = number['dataset'], number['metric'], number['variant']
        runs[place] = runs.get(place, 0) + 1
    expected = {('VOC07+12', 'AP'): 5, ('COCO', 'APbb'): 3, ('COCO', 'APmk'): 3}
    expected |= {('Cityscapes', 'mIoU'): 3, ('VOC12aug', 'mIoU'): 5, ('ADE20K', 'mIoU'): 3}
    for place, count in expected.items():
        assert [runs[(*place, variant)] for variant in ('COCO', 'COCO+')] == [count, count]
    assert {c.seed for c in load('pixcon_table_7', seeds=[8])[1] if c.kind == 'downstream'} == {8}


def test_pixcons_way_from_densecl_is_measured_on_detection_too(load):
    suite, cells = load('pixcon_table_4')
    numbers, found = filled(suite, cells)
    assert places(found) == places(numbers)
