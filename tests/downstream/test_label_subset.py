"""Limited labels: subsets that are nested, stratified and the same on every machine."""

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from semcl_mm.datasets.stratified import stratified_order, subset_size
from semcl_mm.downstream import CamVidDataset, LabelSubset, ToySegDataset
from semcl_mm.downstream.label_subset import image_names, label_presence
from semcl_mm.engine.command_line import train_config
from semcl_mm.engine.options import train_parser


def world(images=400, seed=0):
    """Images with classes from everywhere to one in a hundred, and their names."""
    rng = np.random.default_rng(seed)
    shares = np.array([1.0, 0.9, 0.5, 0.3, 0.1, 0.05, 0.02, 0.01])
    return rng.random((images, len(shares))) < shares, [f'city/{i:04d}.png' for i in range(images)]


def test_the_sizes_on_cityscapes_are_those_of_cacl():
    assert [subset_size(2975, f) for f in (0.01, 0.05, 0.1, 1.0)] == [30, 149, 298, 2975]
    assert subset_size(20, 0.01) == 1
    for wrong in (0, -0.1, 1.01):
        with pytest.raises(ValueError, match='fraction'):
            subset_size(100, wrong)


def test_subsets_are_nested_seeded_and_do_not_depend_on_the_order_of_the_files():
    presence, names = world()
    largest = stratified_order(presence, names, 40, seed=3)
    for size in (1, 4, 20):
        assert stratified_order(presence, names, size, seed=3) == largest[:size]
    assert len(set(largest)) == 40
    shuffled = np.random.default_rng(1).permutation(len(names))
    again = stratified_order(presence[shuffled], [names[i] for i in shuffled], 40, seed=3)
    assert [names[shuffled[i]] for i in again] == [names[i] for i in largest]
    other = stratified_order(presence, names, 40, seed=4)
    assert len({*other} & {*largest}) < 20
    assert sorted(stratified_order(presence, names, len(names))) == list(range(len(names)))


def test_a_subset_shows_each_class_as_often_as_the_whole_to_within_an_image():
    """Random subsets of 40 miss a class of 1 in 50 every second time."""
    for seed in range(5):
        presence, names = world(seed=seed)
        for size in (20, 40, 100):
            chosen = presence[stratified_order(presence, names, size, seed)].sum(axis=0)
            due = presence.mean(axis=0) * size
            assert np.abs(chosen - due).max() <= 1.0, (seed, size, chosen, due)
            assert (chosen[due >= 0.75] > 0).all()


def test_each_choice_keeps_the_distance_small():
    """The distance written out: the choice is among the best fifth of all that are left."""
    presence, names = world(600)
    presence = presence[:, presence.any(axis=0)]
    share = presence.mean(axis=0)

    def distance(rows):
        return (((presence[rows].sum(axis=0) - len(rows) * share) ** 2) / share).sum()

    chosen = stratified_order(presence, names, 5)
    assert distance(chosen[:1]) <= np.median([distance([i]) for i in range(600)])
    for number in range(1, 5):
        others = [distance([*chosen[:number], i]) for i in range(600) if i not in chosen[:number]]
        assert distance(chosen[: number + 1]) <= np.quantile(others, 0.2)


def test_unclear_names_are_an_error():
    presence, names = world(10)
    with pytest.raises(ValueError, match='one name'):
        stratified_order(presence, [*names[:-1], names[0]], 3)
    with pytest.raises(ValueError, match='do not fit'):
        stratified_order(presence, names, 11)


@pytest.fixture
def toy(toy_world):
    return dict(
        type=ToySegDataset,
        data_root=str(toy_world),
        ann_file='ImageSets/Segmentation/train.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    )


def test_a_subset_is_its_data_set_with_fewer_images_in_the_same_order(toy):
    whole = ToySegDataset(**{k: v for k, v in toy.items() if k != 'type'})
    subset = LabelSubset(toy, fraction=0.3)
    smaller = LabelSubset(toy, fraction=0.1)
    assert (len(subset), len(smaller), len(whole)) == (5, 2, 18)
    names = [image_names(data_set) for data_set in (smaller, subset, whole)]
    assert {*names[0]} < {*names[1]} < {*names[2]}
    assert names[1] == [name for name in names[2] if name in names[1]]
    assert all(name.startswith('JPEGImages/') for name in names[2])
    assert subset.metainfo['classes'] == whole.metainfo['classes']
    said = subset.label_subset
    assert (said['fraction'], said['seed'], said['images'], said['of']) == (0.3, 0, 5, 18)
    digests = {LabelSubset(toy, fraction=0.3, subset_seed=s).label_subset['digest'] for s in (0, 1)}
    assert said['digest'] in digests
    assert len(digests) == 2
    everything = LabelSubset(toy, fraction=1.0)
    assert image_names(everything) == names[2]


def test_presence_is_what_the_label_maps_show_after_the_mapping_of_the_data_set(tmp_path):
    """CamVid's "unlabelled" (11) is no class; a value beyond is named with its file."""
    for folder in ('train', 'trainannot'):
        (tmp_path / folder).mkdir()
    for name, values in (('a', [0, 3, 11, 11]), ('b', [10, 10, 255, 0])):
        Image.new('RGB', (2, 2)).save(tmp_path / f'train/{name}.jpg')
        label = np.array(values, np.uint8).reshape(2, 2)
        Image.fromarray(label).save(tmp_path / f'trainannot/{name}.png')
    prefix = dict(img_path='train', seg_map_path='trainannot')
    found = label_presence(CamVidDataset(data_root=str(tmp_path), data_prefix=prefix))
    assert [row.nonzero()[0].tolist() for row in found] == [[0, 3], [0, 10]]
    Image.fromarray(np.full((2, 2), 40, np.uint8)).save(tmp_path / 'trainannot/b.png')
    with pytest.raises(ValueError, match=r'b\.png: label values \[40\] are outside 0\.\.10'):
        label_presence(CamVidDataset(data_root=str(tmp_path), data_prefix=prefix))


def test_the_command_line_limits_the_labels_of_any_segmentation_config(repository):
    plain = str(repository / 'configs/segmentation/upernet_r18_toy.py')
    limited = str(repository / 'configs/segmentation/limited-10_r18-narrow_toy.py')
    cfg = train_config(train_parser().parse_args([plain, '--label-fraction', '0.05']))
    assert cfg.train_dataloader.dataset.type is LabelSubset
    assert cfg.train_dataloader.dataset.dataset.type is ToySegDataset
    assert cfg.work_dir.endswith('upernet_r18_toy_labels0.05')
    args = [limited, '--label-fraction', '0.05', '--label-seed', '2']
    dataset = train_config(train_parser().parse_args(args)).train_dataloader.dataset
    assert (dataset.fraction, dataset.subset_seed) == (0.05, 2)
    assert dataset.dataset.type is ToySegDataset
    with pytest.raises(ValueError, match='--label-seed needs --label-fraction'):
        train_config(train_parser().parse_args([plain, '--label-seed', '2']))


@pytest.mark.parametrize(('percent', 'images'), [(1, 30), (5, 149), (10, 298), (100, 2975)])
def test_cacls_configs_train_1000_epochs_and_quote_the_rows_they_name(repository, percent, images):
    from semcl_mm.analysis.paper_cells import read_paper_numbers

    path = repository / f'configs/segmentation/limited-{percent}_r18_cityscapes.py'
    cfg = Config.fromfile(path)
    dataset = cfg.train_dataloader.dataset
    assert subset_size(2975, dataset.fraction) == images
    assert dataset.dataset.pipeline[3].crop_size == (769, 769)
    batch = 4 * cfg.train_dataloader.batch_size
    assert cfg.train_cfg.max_iters == -(-1000 * images // batch)
    assert cfg.optim_wrapper.optimizer.lr == 0.3
    numbers = read_paper_numbers(repository / 'configs' / 'paper_numbers.csv')
    cell = cfg.paper_cell
    rows = [r for r in numbers if (r['paper'], r['table']) == ('CACL', '4')]
    rows = [r for r in rows if r['variant'] == cell.variant]
    assert {r['model'] for r in rows} == {*cell.models.values()}
    header = path.read_text().split('"""')[1]
    assert all(f'{r["value"]}' in header for r in rows)
    assert all((repository / f'configs/cacl/{stem}.py').is_file() for stem in cell.models)


def test_only_the_seed_of_a_subset_is_no_part_of_the_experiment():
    from semcl_mm.analysis.provenance import config_hash

    def hashed(**options):
        subset = dict(type=LabelSubset, dataset=dict(type=ToySegDataset), **options)
        return config_hash(Config(dict(train_dataloader=dict(dataset=subset))))

    assert hashed(fraction=0.1) == hashed(fraction=0.1, subset_seed=3)
    assert hashed(fraction=0.1) != hashed(fraction=0.2)
