"""The index against a slow selection, in every layout; its format; and data that changed."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from pair_worlds import SIZE, blocks, make_coco, make_voc, slow_pairs, write_image, write_label
from PIL import Image

from semcl_mm.datasets import label_sources as layouts
from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.label_sources.cityscapes import COLOURS, TRAIN_ID
from semcl_mm.datasets.pair_builder import Selection, build_index
from semcl_mm.datasets.pair_format import IMAGE, PAIR
from semcl_mm.datasets.pair_index import PairIndex, PairIndexError


def build(source, out: Path, **selection) -> tuple[dict, PairIndex]:
    summary = build_index(source, out, Selection(**selection))
    return summary, PairIndex.open(out, source.root)


def check_masks(index: PairIndex) -> None:
    """Each mask has the area and box of its record, and any crop of the label will do."""
    for i in range(len(index)):
        record, label = index.record(i), index.read_label(i)
        mask = index.anchor_mask(i, label)
        rows, columns = np.nonzero(mask)
        assert mask.shape == record.size[::-1]
        assert len(rows) == record.area
        assert record.bbox == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_array_equal(index.anchor_mask(i, label[5:30, 7:33]), mask[5:30, 7:33])


def found(index: PairIndex, image_id: int) -> list[tuple]:
    records = [index.record(i) for i in index.pairs_of_image(image_id)]
    return [(record.category, record.area, record.bbox) for record in records]


def test_voc_classes_are_those_that_a_slow_loop_finds(tmp_path) -> None:
    labels = make_voc(tmp_path)
    summary, index = build(layouts.voc(tmp_path), tmp_path / 'index')
    for image_id, label in enumerate(labels):
        assert found(index, image_id) == slow_pairs(label, range(1, 21))
    check_masks(index)
    assert summary['images'] == summary['images_with_pairs'] == 5
    assert summary['pairs'] == len(index) == sum(summary['pairs_per_class'].values())
    assert summary['skipped'] == {
        'ignored label': sum(int((label == v).any()) for label in labels for v in (0, 255)),
        'too small': 5,
    }
    assert index.class_names[5] == 'bottle'


def test_voc_instances_get_the_class_of_most_of_their_pixels(tmp_path) -> None:
    make_voc(tmp_path, 1)
    classes, objects = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    objects[:10, :10], objects[20:30, :20], objects[35:, 40:] = 1, 2, 3
    classes[:10, :6], classes[:10, 6:10], classes[20:30, :20] = 8, 12, 15
    write_label(tmp_path / 'SegmentationClass/000.png', classes)
    write_label(tmp_path / 'SegmentationObject/000.png', objects)
    summary, index = build(layouts.voc(tmp_path, unit='instance'), tmp_path / 'index')
    records = [index.record(i) for i in range(len(index))]
    assert [(r.category, r.instance, r.area) for r in records] == [(8, 1, 100), (15, 2, 200)]
    assert summary['skipped']['instance without class'] == 1
    check_masks(index)


@pytest.mark.parametrize('line', ['{0}', '/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png'])
@pytest.mark.parametrize('folder', ['SegmentationAug', 'Segmentation'])
def test_train_aug_reads_both_list_formats_in_both_places(tmp_path, line, folder) -> None:
    make_voc(tmp_path, 2)
    label = np.full(SIZE, 9, np.uint8)
    write_label(tmp_path / 'SegmentationClassAug/001.png', label)
    (tmp_path / 'ImageSets' / folder).mkdir(exist_ok=True)
    (tmp_path / 'ImageSets' / folder / 'train_aug.txt').write_text(line.format('001') + '\n')
    _, index = build(layouts.voc(tmp_path, 'train_aug'), tmp_path / 'index')
    assert found(index, 0) == [(9, SIZE[0] * SIZE[1], (0, 0, SIZE[1], SIZE[0]))]


def test_the_other_aug_list_adds_to_train_and_falls_back_to_its_labels(tmp_path) -> None:
    make_voc(tmp_path, 2)
    lists = tmp_path / 'ImageSets/Segmentation'
    (lists / 'train.txt').write_text('000\n')
    (lists / 'aug.txt').write_text('001\n')
    write_label(tmp_path / 'SegmentationClassAug/001.png', np.full(SIZE, 9, np.uint8))
    source = layouts.voc(tmp_path, 'train_aug')
    assert [item.label for item in source.items] == [
        'SegmentationClass/000.png',
        'SegmentationClassAug/001.png',
    ]


def make_cityscapes(root: Path) -> np.ndarray:
    ids = blocks(3, [0, 4, 5, 7, 8, 17, 18, 26, 29, 33]).astype(np.uint8)
    colours = np.zeros((34, 4), np.uint8)
    colours[5, :3], colours[29, :3], colours[:, 3] = (111, 74, 0), (0, 0, 90), 255
    train_ids = np.full(34, 255, np.uint8)
    for label_id, train_id in TRAIN_ID.items():
        colours[label_id, :3] = COLOURS[train_id]
        train_ids[label_id] = train_id if label_id != 18 else 255
    instances = ids.astype(np.uint16)
    instances[ids == 26] = 26001
    instances[:20][ids[:20] == 26] = 26
    write_image(root / 'leftImg8bit/train/x/x_0_leftImg8bit.png')
    kinds = {'color': colours[ids], 'labelIds': ids, 'labelTrainIds': train_ids[ids]}
    for kind, label in (kinds | {'instanceIds': instances}).items():
        write_label(root / f'gtFine/train/x/x_0_gtFine_{kind}.png', label)
    return ids


def test_cityscapes_colours_and_ids_give_the_same_pairs_and_train_ids_lack_pole_groups(
    tmp_path,
) -> None:
    ids = make_cityscapes(tmp_path)
    table = np.full(34, 255)
    for label_id, train_id in TRAIN_ID.items():
        table[label_id] = train_id
    for kind in ('color', 'labelIds'):
        _, index = build(layouts.cityscapes(tmp_path, label=kind), tmp_path / 'index')
        assert found(index, 0) == slow_pairs(table[ids], range(19))
        check_masks(index)
    table[18] = 255
    _, index = build(layouts.cityscapes(tmp_path, label='labelTrainIds'), tmp_path / 'index')
    assert found(index, 0) == slow_pairs(table[ids], range(19))


def test_the_old_colour_map_has_nine_more_classes_and_every_car_twice(tmp_path) -> None:
    make_cityscapes(tmp_path)
    _, new = build(layouts.cityscapes(tmp_path), tmp_path / 'new')
    _, old = build(layouts.cityscapes(tmp_path, colour_map='old'), tmp_path / 'old')
    car = [pair for pair in found(new, 0) if new.class_names[pair[0]] == 'car']
    other = [pair for pair in found(old, 0) if pair[0] >= 19]
    assert len(car) == 1
    assert sorted(found(old, 0)) == sorted(found(new, 0) + car + other)
    assert [old.class_names[pair[0]] for pair in other] == ['dynamic', 'caravan']
    assert len(old.class_names) == 28
    check_masks(old)


def test_cityscapes_instances_drop_groups_and_keep_stuff(tmp_path) -> None:
    ids = make_cityscapes(tmp_path)
    summary, index = build(layouts.cityscapes(tmp_path, unit='instance'), tmp_path / 'index')
    cars = [r for r in map(index.record, range(len(index))) if r.category == 13]
    assert [(car.instance, car.area) for car in cars] == [(26001, int((ids[20:] == 26).sum()))]
    # Group ids of the car and of the bicycle, which has no instances here.
    assert summary['skipped']['group of instances'] == 2
    assert index.class_names[index.record(0).category] == 'road'
    check_masks(index)


def test_ade_challenge_drops_only_the_unlabelled(tmp_path) -> None:
    label = blocks(4, [0, 1, 2, 150]).astype(np.uint8)
    write_image(tmp_path / 'images/training/a.jpg')
    write_label(tmp_path / 'annotations/training/a.png', label)
    _, index = build(layouts.ade20k(tmp_path), tmp_path / 'index')
    assert found(index, 0) == slow_pairs(label, range(1, 151))
    assert (index.class_names[1], index.class_names[150]) == ('wall', 'flag')


def test_coco_stuff_keeps_person_which_is_zero(tmp_path) -> None:
    label = blocks(5, [0, 17, 181, 255]).astype(np.uint8)
    write_image(tmp_path / 'train2017/a.jpg')
    write_label(tmp_path / 'stuffthingmaps_trainval2017/train2017/a.png', label)
    _, index = build(layouts.coco_stuff(tmp_path), tmp_path / 'index')
    assert found(index, 0) == slow_pairs(label, range(182))
    assert [index.class_names[v] for v in (0, 17, 181)] == ['person', 'dog', 'wood']


def test_full_ade_takes_each_mask_of_255_with_its_parts_and_names(tmp_path) -> None:
    folder = tmp_path / 'images/ADE/training/city/street/ADE_train_00000001'
    write_image(folder.with_suffix('.jpg'))
    masks, objects = [], []
    for number in range(4):
        mask = blocks(number, [0, 128, 255]).astype(np.uint8)
        if number == 3:
            mask[mask == 255] = 128
        name = f'instance_{number:03d}_{folder.name}.png'
        write_label(folder / name, mask)
        masks.append(mask)
        objects.append(
            {
                'instance_mask': f'{folder.name}/{name}',
                'name_ndx': 40 - number,
                'name': f'n{number}',
            }
        )
    folder.with_suffix('.json').write_text(json.dumps({'annotation': {'object': objects}}))
    summary, index = build(layouts.ade20k_full(tmp_path), tmp_path / 'index')
    records = [index.record(i) for i in range(len(index))]
    # Ascending in class, so the last mask comes first.
    assert [(r.instance, index.class_names[r.category]) for r in records] == [
        (2, 'n2'),
        (1, 'n1'),
        (0, 'n0'),
    ]
    assert [r.area for r in records] == [int((masks[n] == 255).sum()) for n in (2, 1, 0)]
    assert summary['skipped'] == {'nothing visible': 1}
    check_masks(index)
    assert len({index.label_key(i) for i in range(3)}) == 3
    write_label(records[0].label_path, masks[0])
    with pytest.raises(DataError, match=records[0].label_path.name):
        index.read_label(0)


def test_coco_instances_drop_crowds_and_classes_join_them(tmp_path) -> None:
    make_coco(tmp_path)
    summary, index = build(layouts.coco(tmp_path), tmp_path / 'index')
    records = [index.record(i) for i in range(len(index))]
    assert [(r.image_path.name, r.category, r.instance, r.area) for r in records] == [
        ('a.jpg', 3, 0, 100),
        ('a.jpg', 3, 1, 128),
        ('b.jpg', 7, 0, 400),
    ]
    assert summary['skipped'] == {'crowd': 1, 'too small': 1}
    assert summary['pairs_per_class'] == {'größe': 2, 'cup': 1}
    check_masks(index)

    summary, index = build(layouts.coco(tmp_path, unit='class'), tmp_path / 'index')
    assert [(r.category, r.area) for r in map(index.record, range(len(index)))] == [
        (3, 100 + 128 + 200),
        (7, 400),
    ]
    check_masks(index)
    pickle.loads(pickle.dumps(index)).read_label(0)


def test_a_changed_annotation_is_noticed_when_its_mask_is_read(tmp_path) -> None:
    make_coco(tmp_path)
    build(layouts.coco(tmp_path), tmp_path / 'index')
    path = tmp_path / 'annotations/instances_train2017.json'
    path.write_text(path.read_text(encoding='utf-8').replace('12', '13', 1), encoding='utf-8')
    with pytest.raises(DataError, match=r'an annotation differs|no annotation at byte'):
        PairIndex.open(tmp_path / 'index', tmp_path).read_label(0)


def test_components_of_a_class_become_pairs_of_their_own(tmp_path) -> None:
    label = np.zeros(SIZE, np.uint8)
    label[:10, :10] = label[10:20, 10:20] = 4  # joined at a corner
    label[30:, 40:] = 4
    label[30:, :10] = 6
    write_image(tmp_path / 'images/a.jpg')
    write_label(tmp_path / 'labels/a.png', label)
    source = layouts.folder(tmp_path, unit='component', ignore=[0])
    _, index = build(source, tmp_path / 'index')
    records = [index.record(i) for i in range(len(index))]
    assert [(r.category, r.instance, r.area) for r in records] == [
        (4, 1, 200),
        (4, 3, 200),
        (6, 2, 100),
    ]
    check_masks(index)
    assert len({index.label_key(i) for i in range(3)}) == 1


def test_folders_pair_files_by_name_and_lists_by_path(tmp_path) -> None:
    label = blocks(6, [0, 3, 11]).astype(np.uint8)
    write_image(tmp_path / 'train/x/a.png')
    write_label(tmp_path / 'trainannot/x/a.png', label)
    (tmp_path / 'list.txt').write_text('train/x/a.png trainannot/x/a.png\n')
    for options in ({'images': 'train', 'labels': 'trainannot'}, {'split': 'list.txt'}):
        source = layouts.folder(tmp_path, ignore=[11], num_classes=12, **options)
        _, index = build(source, tmp_path / 'index')
        assert found(index, 0) == slow_pairs(label, range(11))


def test_the_index_is_the_same_byte_for_byte_for_any_number_of_workers(tmp_path) -> None:
    for number in range(70):
        label = blocks(number, [0, 1, 2, 255]).astype(np.uint8)
        write_image(tmp_path / f'images/{number}.png', number)
        write_label(tmp_path / f'labels/{number}.png', label)
    written = []
    for workers in (1, 2, 3):
        build_index(layouts.folder(tmp_path), tmp_path / 'index', Selection(), workers)
        written.append((tmp_path / 'index').read_bytes())
    assert written[0] == written[1] == written[2]


def test_nothing_that_runs_in_a_forked_worker_uses_opencv() -> None:
    """OpenCV's pool of threads, once awake, deadlocks in a forked child (setNumThreads too).

    It does so in some runs only, so the cause is tested: no module on the path has OpenCV.
    """
    package = Path(layouts.__file__).parents[1]
    files = [*Path(layouts.__file__).parent.glob('*.py')]
    names = 'pair_builder regions label_reader image_files label_png coco_annotations'
    files += [package / f'{name}.py' for name in (*names.split(), 'value_table', 'pair_format')]
    assert len(files) > 15
    assert [file.name for file in files if 'cv2' in file.read_text()] == []


def test_a_pair_takes_24_bytes_and_an_image_20_besides_its_name(tmp_path) -> None:
    make_voc(tmp_path)
    assert (PAIR.itemsize, IMAGE.itemsize) == (24, 20)
    summary, index = build(layouts.voc(tmp_path), tmp_path / 'index')
    assert summary['bytes'] == (tmp_path / 'index').stat().st_size
    assert isinstance(index.areas.base, np.ndarray)  # a view of the map, no copy


def test_a_pickled_index_holds_paths_and_no_records(tmp_path) -> None:
    make_voc(tmp_path)
    _, index = build(layouts.voc(tmp_path), tmp_path / 'index')
    assert index.areas.sum() > 0
    data = pickle.dumps(index)
    assert len(data) < 600
    again = pickle.loads(data)
    assert [again.record(i) for i in range(len(again))] == [
        index.record(i) for i in range(len(index))
    ]


def test_joined_indices_keep_their_own_classes_and_images(tmp_path) -> None:
    make_voc(tmp_path / 'voc')
    make_coco(tmp_path / 'coco')
    _, first = build(layouts.voc(tmp_path / 'voc'), tmp_path / 'first')
    _, second = build(layouts.coco(tmp_path / 'coco'), tmp_path / 'second')
    both = PairIndex.concatenate([first, second])
    assert len(both) == len(first) + len(second)
    assert both.num_images == 7
    record = both.record(len(first))
    assert record.image_path == second.record(0).image_path
    assert (record.image_id, both.class_names[record.category]) == (5, 'coco/größe')
    for i in range(len(both)):
        record = both.record(i)
        assert both.image_ids[i] == record.image_id
        assert both.categories[i] == record.category
        assert both.areas[i] == record.area
        assert i in both.pairs_of_image(record.image_id)
    check_masks(pickle.loads(pickle.dumps(both)))
    assert both.summary()['pairs_per_class']['coco/größe'] == 2
    twice = PairIndex.concatenate([first, first])
    assert twice.class_names == first.class_names


def test_the_first_file_that_differs_is_named_when_an_index_is_opened(tmp_path) -> None:
    make_voc(tmp_path)
    build(layouts.voc(tmp_path), tmp_path / 'index')
    with pytest.raises(PairIndexError, match=r'JPEGImages/000\.jpg'):
        PairIndex.open(tmp_path / 'index', tmp_path / 'elsewhere')
    (tmp_path / 'SegmentationClass/002.png').unlink()
    with pytest.raises(PairIndexError, match=r'SegmentationClass/002\.png'):
        PairIndex.open(tmp_path / 'index', tmp_path)
    write_image(tmp_path / 'JPEGImages/001.jpg', size=(10, 10))
    with pytest.raises(PairIndexError, match=r'JPEGImages/001\.jpg.*bytes'):
        PairIndex.open(tmp_path / 'index', tmp_path)


def test_a_label_of_equal_size_but_other_content_is_named_when_it_is_read(tmp_path) -> None:
    make_voc(tmp_path)
    _, index = build(layouts.voc(tmp_path), tmp_path / 'index')
    path = index.record(0).label_path
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=path.name):
        PairIndex.open(tmp_path / 'index', tmp_path).read_label(0)


@pytest.mark.parametrize('damage', ['cut', 'other', 'version'])
def test_a_damaged_index_is_named(tmp_path, damage) -> None:
    make_voc(tmp_path)
    build(layouts.voc(tmp_path), tmp_path / 'index')
    data = bytearray((tmp_path / 'index').read_bytes())
    if damage == 'version':
        data[8] = 99
    changed = {'cut': data[:-64], 'other': b'PK' + data, 'version': data}[damage]
    (tmp_path / 'broken').write_bytes(changed)
    with pytest.raises(PairIndexError, match='broken'):
        PairIndex.open(tmp_path / 'broken', tmp_path)


@pytest.mark.parametrize('mode', ['P', 'L', 'I;16'])
@pytest.mark.parametrize('filtered', [False, True])
def test_labels_decode_to_their_indices_in_every_mode(tmp_path, mode, filtered) -> None:
    from semcl_mm.datasets.image_files import decode_label

    label = blocks(7, [0, 1, 200]).astype(np.uint16 if mode == 'I;16' else np.uint8)
    if filtered:
        label = np.cumsum(label, axis=1).astype(label.dtype)  # ramps: encoders filter these
    image = Image.fromarray(label)
    if mode == 'P':
        image = Image.fromarray(label, 'P')
        image.putpalette(bytes(range(256)) * 3)
    image.save(tmp_path / 'a.png')
    data = (tmp_path / 'a.png').read_bytes()
    np.testing.assert_array_equal(decode_label(data, 'a.png'), label)
    for cut in (len(data) - 13, len(data) // 2, 40):
        with pytest.raises(DataError, match=r'a\.png'):
            decode_label(data[:cut], 'a.png')


def test_a_copy_of_the_data_elsewhere_serves_the_same_index(tmp_path) -> None:
    make_voc(tmp_path / 'here')
    build(layouts.voc(tmp_path / 'here'), tmp_path / 'index')
    shutil.move(tmp_path / 'here', tmp_path / 'there')
    check_masks(PairIndex.open(tmp_path / 'index', tmp_path / 'there'))
