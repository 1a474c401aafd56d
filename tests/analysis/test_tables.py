"""Tables: what was measured is shown as it is, and what was not is a dash."""

import csv
import io

import pytest

from semcl_mm.analysis.comparison import against, compare
from semcl_mm.analysis.paper_cells import read_paper_numbers
from semcl_mm.analysis.records import collect, read_records, write_json, write_records
from semcl_mm.analysis.tables import format_rows, measured_rows, paper_rows

CELL = dict(paper='SemCL', table='2', dataset='VOC2012', backbone='Swin-T', metric='mIoU')


def record(seed=0, value=80.0, status='finished', initial='random', **entries):
    return {
        'schema': 1,
        'run_id': f'{initial}-{seed}-{status}',
        'name': f'upernet_{initial}_seed{seed}',
        'config': 'configs/segmentation/upernet.py',
        'config_hash': 'abc',
        'status': status,
        'seed': seed,
        'started': '2026-01-01T00:00:00',
        'initialised_from': initial,
        'metrics_final': {'aAcc': 95.0, 'mIoU': value},
        'paper_cell': None,
        'as_published': True,
        **entries,
    }


def pretrained(algorithm, config='voc.py'):
    run = {'algorithm': algorithm, 'config': f'configs/{config}', 'as_published': True}
    return {'checkpoint': 'x/iter_1.pth', 'source': None, 'run': run}


@pytest.fixture
def numbers(repository):
    return read_paper_numbers(repository / 'configs' / 'paper_numbers.csv')


def test_seeds_of_one_config_and_start_become_mean_and_sample_deviation():
    """Values 80, 82, 84: mean 82, sample deviation sqrt((4 + 0 + 4) / 2) = 2."""
    (row,) = measured_rows([record(s, v) for s, v in enumerate((80.0, 82.0, 84.0))])
    assert row.cells() == ('upernet', 'random', 'mIoU', '—', '82.00 ± 2.00', '—', '3')


def test_unfinished_runs_are_not_results():
    assert measured_rows([record(status='running'), record(status='stopped')]) == []


def test_different_starts_stay_apart():
    starts = ['random', pretrained('SemCL'), pretrained('SemCL', 'ade.py')]
    rows = measured_rows([record(initialised_from=start) for start in starts])
    assert [row.initial for row in rows] == ['random', 'SemCL (voc)', 'SemCL (ade)']


def test_the_order_of_rows_does_not_depend_on_which_of_two_parallel_runs_began_first():
    one, other = record(initialised_from='a'), record(initialised_from='b')
    for first, second in (('01', '02'), ('02', '01')):
        rows = measured_rows([one | {'started': first}, other | {'started': second}])
        assert [row.initial for row in rows] == ['a', 'b']


def test_of_two_runs_of_a_seed_the_newer_counts_wherever_it_stands():
    old, new = record(value=70.0, started='01'), record(value=80.0, started='02')
    for records in ([old, new], [new, old]):
        (row,) = measured_rows(records)
        assert row.values == [80.0]


def test_pretrainings_of_two_configs_are_two_starts_and_their_seeds_are_one():
    def start(config, digest, seed):
        run = {'algorithm': 'SemCL', 'config': f'configs/semcl/{config}.py', 'seed': seed}
        return {'checkpoint': 'x/iter_1.pth', 'run': dict(run, config_hash=digest)}

    runs = [
        record(seed, 80.0, initialised_from=start(config, digest, seed))
        for seed in range(2)
        for config, digest in (('voc', 'a'), ('camvid', 'b'), ('voc', 'c'))
    ]
    rows = measured_rows(runs)
    assert [row.initial for row in rows] == ['SemCL (voc) a', 'SemCL (camvid)', 'SemCL (voc) c']
    assert [len(row.values) for row in rows] == [2, 2, 2]


def test_random_weights_of_two_configs_are_two_starts_and_their_seeds_are_one():
    """Such as of open and of closed residual branches: the newer must not stand for both."""

    def start(config, seed, options=''):
        source = f'random initialisation of configs/{config}.py, seed {seed}{options}'
        return {'checkpoint': f'x/initial_seed{seed}.pth', 'source': source, 'run': None}

    closed = ', model.backbone.zero_init_residual=True'
    runs = [
        record(seed, value + seed, initialised_from=start(config, seed, options))
        for seed in range(2)
        for config, options, value in (
            ('pixcon/toy', '', 20.0),
            ('cacl/toy', '', 30.0),
            ('pixcon/toy', closed, 40.0),
        )
    ]
    rows = measured_rows([*runs, record(value=50.0)])
    assert {row.initial: row.values for row in rows} == {
        'random (pixcon/toy)': [20.0, 21.0],
        'random (cacl/toy)': [30.0, 31.0],
        f'random (pixcon/toy{closed})': [40.0, 41.0],
        'random': [50.0],
    }
    (row,) = measured_rows(runs[::3])
    assert (row.initial, row.values) == ('random', [20.0, 21.0]), 'one start needs no config'


def test_every_printed_number_shows_and_nothing_is_ours_without_a_run(numbers):
    rows = paper_rows(numbers, [], 'semcl', '2')
    assert len(rows) == 40
    assert {row.cells()[4:] for row in rows} == {('—', '—', '0')}
    assert sum(row.paper == 81.73 for row in rows) == 1


def test_every_printed_number_keeps_the_decimals_of_the_paper(numbers, repository):
    with (repository / 'configs' / 'paper_numbers.csv').open(newline='') as file:
        texts = [(r['paper'], r['value'], r['std']) for r in csv.DictReader(file)]
    shown = []
    for paper in dict.fromkeys(paper for paper, *_ in texts):
        shown += [(paper, *row.cells()[3].split(' ± ')) for row in paper_rows(numbers, [], paper)]
    assert sorted(shown) == sorted((p, v, s) if s else (p, v) for p, v, s in texts)


def test_ours_is_as_fine_as_the_paper(numbers):
    cell = dict(paper='SemCL', table='6', dataset='Cityscapes', backbone='R50', variant='SemCL')
    run = record(paper_cell=dict(cell, metric='RMSE'), metrics_final={'RMSE': 4.7})
    (row,) = [row for row in paper_rows(numbers, [run], 'SemCL', '6') if row.values]
    assert row.cells()[3:6] == ('4.699', '4.700', '+0.001')


def test_a_run_lands_in_its_own_cell_only(numbers):
    runs = [record(0, 81.0, initialised_from=pretrained('SemCL'), paper_cell=CELL)]
    filled = [row for row in paper_rows(numbers, runs, 'SemCL', '2') if row.values]
    (row,) = filled
    assert (row.task, row.initial) == ('VOC2012 val Swin-T', 'SemCL')
    assert row.cells()[3:6] == ('81.73', '81.00', '-0.73')


def test_a_cell_whose_model_is_a_method_counts_runs_from_the_config_of_that_method(numbers):
    cell = dict(paper='PixCon-supp', table='3', dataset='COCO', backbone='', variant='COCO-800ep')
    cell |= dict(metric=['APbb', 'APmk'], models={'pixcon-sr_r50_coco': 'PixCon-SR'})
    runs = [
        record(seed, initialised_from=pretrained('PixCon', f'{name}.py'))
        | dict(paper_cell=cell, metrics_final={'APbb': 40.0 + seed, 'APmk': 36.0})
        for seed, name in enumerate(['pixcon-sr_r50_coco', 'pixcon-sim_r50_coco'])
    ]
    filled = [row for row in paper_rows(numbers, runs, 'pixcon-supp', '3') if row.values]
    assert [(row.task, row.metric, row.values) for row in filled] == [
        ('COCO PixCon-SR', 'APbb', [40.0]),
        ('COCO PixCon-SR', 'APmk', [36.0]),
    ]


def test_pairs_of_an_earlier_year_belong_to_a_cell_that_says_so(numbers):
    cell = dict(paper='SemCL', table='4', dataset='VOC2007', backbone='R50', metric='AP50')
    start = pretrained('SemCL')
    start['run']['pairs_of'] = 'VOC2012'
    runs = [
        record(seed, initialised_from=start, metrics_final={'AP50': 80.0}, paper_cell=cell | more)
        for seed, more in enumerate([{}, {'pairs_of': 'VOC2012'}])
    ]
    filled = [row for row in paper_rows(numbers, runs, 'semcl', '4') if row.values]
    assert [(row.task, row.values) for row in filled] == [('VOC2007 test R50', [80.0])]


def test_a_run_with_several_metrics_lands_in_a_cell_of_each(numbers):
    cell = dict(paper='SemCL', table='6', dataset='NYUv2', backbone='R50', variant='SemCL')
    run = record(paper_cell=dict(cell, metric=['AbsRel', 'RMSE']))
    run['metrics_final'] = {'AbsRel': 0.2, 'RMSE': 0.5, 'd1': 0.9}
    filled = [row for row in paper_rows(numbers, [run], 'SemCL', '6') if row.values]
    assert [(row.metric, row.paper, row.values) for row in filled] == [
        ('AbsRel', 0.117, [0.2]),
        ('RMSE', 0.4, [0.5]),
    ]


def test_a_named_variant_beats_the_start_of_the_run(numbers):
    for variant in ('Swin IN-22k', 'SwinIN-22k'):  # --cfg-options takes the spaces out
        run = record(paper_cell=dict(CELL, variant=variant))
        (row,) = [r for r in paper_rows(numbers, [run], 'semcl') if r.values]
        assert row.initial == 'Swin IN-22k'


def test_a_cell_whose_variant_is_a_head_counts_only_runs_from_the_papers_own_pretraining(numbers):
    cell = dict(paper='L2G-ViT', table='1', dataset='ADE20K', backbone='', metric='mIoU')
    cell |= dict(model='Ours', pretraining='LocalToGlobal', variant='ViT-Ti/16 Linear')
    starts = ['random', pretrained('SemCL'), pretrained('LocalToGlobal')]
    runs = [
        record(0, 30.0 + i, initialised_from=start, paper_cell=cell)
        for i, start in enumerate(starts)
    ]
    rows = paper_rows(numbers, runs, 'l2g-vit', '1')
    found = [(row.task, row.initial, row.values) for row in rows if row.values]
    assert found == [('ADE20K Ours', 'ViT-Ti/16 Linear', [32.0])]


def test_an_unknown_paper_or_table_lists_what_exists(numbers):
    with pytest.raises(ValueError, match='CACL'):
        paper_rows(numbers, [], 'nope')
    with pytest.raises(ValueError, match=r"'2', '4', '6'"):
        paper_rows(numbers, [], 'semcl', '99')


def test_csv_survives_a_round_trip_and_latex_escapes():
    rows = measured_rows([record(), record(1, 81.0)])
    rows[0].task = 'a,"b"_c'
    parsed = list(csv.reader(io.StringIO(format_rows(rows, 'csv'))))
    assert parsed[1][0] == 'a,"b"_c'
    assert r'a,"b"\_c & random' in format_rows(rows, 'latex')
    assert r'80.50 $\pm$ 0.71' in format_rows(rows, 'latex')


def test_collect_keeps_the_newest_record_of_a_resumed_run(tmp_path):
    first = record(status='stopped', run_id='r')
    second = record(run_id='r', started='2026-01-02T00:00:00')
    write_json(tmp_path / 'a' / '1' / 'record.json', first)
    write_json(tmp_path / 'a' / '2' / 'record.json', second)
    (found,) = collect([tmp_path])
    assert found['status'] == 'finished'
    write_records(tmp_path / 'r.jsonl', [found])
    assert read_records(tmp_path / 'r.jsonl') == [found]


def test_a_broken_record_is_named(tmp_path):
    (tmp_path / 'record.json').write_text('{"schema": 1')
    with pytest.raises(ValueError, match=r'record\.json: not JSON'):
        collect([tmp_path])
    with pytest.raises(FileNotFoundError, match='nowhere'):
        collect([tmp_path / 'nowhere'])


def test_a_comparison_pairs_runs_by_seed():
    """Differences 1, 2, 3: mean 2, deviation 1, t = 2 / (1 / sqrt 3) = 3.4641, p = 0.0742."""
    values = {'a': (51.0, 53.0, 55.0), 'b': (50.0, 51.0, 52.0)}
    runs = [record(s, v, initial=k) for k, vs in values.items() for s, v in enumerate(vs)]
    result = compare(runs, 'upernet_a', 'upernet_b', 'mIoU')
    assert (result['difference'], result['std'], result['seeds']) == (2.0, 1.0, [0, 1, 2])
    assert result['p'] == pytest.approx(0.0741799, abs=1e-6)


def test_a_comparison_without_a_shared_seed_is_refused():
    with pytest.raises(ValueError, match='none shared'):
        compare([record(0, initial='a'), record(1, initial='b')], 'upernet_a', 'upernet_b', 'mIoU')


@pytest.mark.parametrize(
    ('of_the_run', 'of_the_pretraining'),
    [
        ({'as_published': False}, {}),
        ({}, {'as_published': False}),
        ({}, {'pairs_of': 'COCO2017'}),
        ({'status': 'stopped'}, {}),
    ],
)
def test_a_changed_recipe_never_stands_beside_a_papers_number(
    numbers, of_the_run, of_the_pretraining
):
    start = pretrained('SemCL')
    start['run'].update(of_the_pretraining)
    changed = record(initialised_from=start, paper_cell=CELL, **of_the_run)
    assert not [row for row in paper_rows(numbers, [changed], 'semcl') if row.values]


def test_a_run_on_a_sample_is_left_out_of_a_papers_table_which_says_so(numbers):
    start = pretrained('SemCL')
    runs = [
        record(0, 81.0, initialised_from=start, paper_cell=CELL),
        record(1, 60.0, initialised_from=start, paper_cell=CELL, as_published=False)
        | dict(deviations={'training set': '240 samples, not 10,582'}),
        record(2, 70.0, initialised_from=pretrained('SemCL'), paper_cell=CELL),
    ]
    sample = dict(as_published=False, deviations={'training set': '438 samples'})
    runs[2]['initialised_from']['run'].update(sample)
    (row,) = [row for row in paper_rows(numbers, runs, 'semcl') if row.values]
    assert row.values == [81.0]
    said = '1 (2 left out: training set, pretraining training set)'
    assert row.cells()[-1] == said
    rows = paper_rows(numbers, runs[1:], 'semcl', '2')
    assert [row.cells()[4:] for row in rows if row.missing] == [
        ('—', '—', said.replace('1 (', '0 ('))
    ]


def test_scalars_of_a_training_are_no_metrics_unless_asked_for():
    runs = [
        record(metrics_final={'train/loss': 1.5, 'train/mIoU': 3.0}),
        record(1, metrics_final={'train/loss': 2.5, 'mIoU': 80.0}),
    ]
    (row,) = measured_rows(runs)
    assert (row.metric, row.values) == ('mIoU', [80.0])
    (row,) = measured_rows(runs, 'train/loss')
    assert row.values == [1.5, 2.5]
    assert measured_rows(runs[:1]) == []


def test_a_test_of_a_run_stands_for_it_and_one_set_otherwise_for_itself(numbers):
    first = record(0, 81.0, run_id='r', paper_cell=dict(CELL, variant='SemCL'))
    again = dict(first, run_id='r-test', tested_run='r', started='2026-01-02')
    again |= dict(name=f'{first["name"]}_test', metrics_final={'mIoU': 81.1})
    other = dict(again, run_id='r-test-changed', protocol='other test settings')
    other |= dict(metrics_final={'mIoU': 99.0}, started='2026-01-03')
    runs = [first, again, other]
    rows = measured_rows(runs)
    assert [(row.task, row.values) for row in rows] == [
        ('upernet', [81.1]),
        ('upernet (other test settings)', [99.0]),
    ]
    (row,) = [row for row in paper_rows(numbers, runs, 'semcl') if row.values]
    assert row.values == [81.1]
    runs.append(record(0, 80.0, run_id='b', initial='base'))
    assert compare(runs, 'upernet_random', 'upernet_base', 'mIoU')['mean_a'] == 81.1


def test_a_seed_that_ran_twice_counts_once(numbers):
    runs = [
        record(0, 70.0, started='2026-01-01', paper_cell=dict(CELL, variant='SemCL')),
        record(0, 80.0, started='2026-01-02', paper_cell=dict(CELL, variant='SemCL')),
    ]
    assert measured_rows(runs)[0].values == [80.0]
    (row,) = [row for row in paper_rows(numbers, runs, 'semcl') if row.values]
    assert row.values == [80.0]


def test_an_arm_beats_the_baseline_by_the_larger_deviation_over_the_shared_seeds():
    """Baseline 10, 12, 14 (std 2). +5 with std 2 is clear; +5 with std 3, or +4 exactly, is not."""
    arms = {'base': (10, 12, 14), 'good': (15, 17, 19), 'shaky': (14, 17, 20), 'edge': (14, 16, 18)}
    runs = [
        record(seed, value, initial=name)
        for name, values in arms.items()
        for seed, value in enumerate(values)
    ]
    runs.append(record(3, 99.0, initial='good'))  # a seed that the baseline lacks
    names = [f'upernet_{arm}' for arm in arms]
    table, all_better = against(runs, names[0], names[1:], 'mIoU')
    assert [line.split('|')[-2].strip() for line in table.splitlines()[2:]] == ['yes', 'NO', 'NO']
    assert '| 3 | 17.00 ± 2.00 | 12.00 ± 2.00 | +5.00 | +2.5 | yes |' in table
    assert not all_better
    assert against(runs, names[0], names[1:2], 'mIoU')[1]


def test_one_seed_says_nothing_about_a_deviation():
    runs = [record(0, 1.0, initial='a'), record(0, 2.0, initial='b')]
    with pytest.raises(ValueError, match='two are needed'):
        against(runs, 'upernet_a', ['upernet_b'], 'mIoU')


def test_one_run_may_be_several_rows_but_only_of_its_split_and_of_the_papers_way_to_test(numbers):
    cell = dict(paper='PixelContrast', table='1', dataset='Cityscapes', split='val')
    cell |= dict(model='HRNetV2', backbone='HRNetV2-W48', metric='mIoU', protocol='tta')
    cell |= dict(variant='baseline w/o contrast (40K it)', also=[dict(table='3')])

    def filled(**entries):
        runs = [record(0, 78.5, paper_cell=cell | entries.pop('cell', {}), **entries)]
        rows = paper_rows(numbers, runs, 'PixelContrast')
        return [(row.paper, row.values) for row in rows if row.values]

    assert filled(protocol='tta') == [(78.1, [78.5])] * 2
    assert filled() == []  # one scale, where the paper has many
    assert filled(protocol='tta', cell=dict(split='test (train)')) == []
    assert filled(protocol='tta', cell=dict(model='OCR')) == []


def test_a_cell_of_supervised_starts_counts_other_peoples_weights_alone(numbers):
    cell = dict(CELL, variant='Swin IN-22k', start='imagenet')
    theirs = {'checkpoint': 'swin.pth', 'source': 'timm', 'run': None}
    ours = pretrained('SemCL')
    untrained = {'checkpoint': 'r.pth', 'source': 'random initialisation (seed 0)', 'run': None}
    runs = [
        record(seed, 80.0 + seed, initialised_from=start, paper_cell=cell)
        for seed, start in enumerate(['random', ours, untrained, theirs])
    ]
    assert [r.values for r in paper_rows(numbers, runs, 'semcl') if r.values] == [[83.0]]
