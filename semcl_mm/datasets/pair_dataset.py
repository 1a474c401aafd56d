"""Object/environment pairs made on the fly from an image, its label and a pair index."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmpretrain.structures import DataSample

from semcl_mm.datasets.crops import Crop, draw_crop, to_planes
from semcl_mm.datasets.drawn_dataset import DrawnDataset
from semcl_mm.datasets.image_files import DataError
from semcl_mm.datasets.pair_index import PairIndex, PairRecord
from semcl_mm.datasets.pair_views import anchor_fraction, cut_roles
from semcl_mm.datasets.photo_files import read_rgb
from semcl_mm.datasets.photometry import apply_photometry, draw_photometry
from semcl_mm.datasets.view_recipe import SEMCL_VIEWS, ViewRecipe
from semcl_mm.registry import DATASETS

__all__ = ['PairDataset']

#: ImageNet's mean colour, the fill that normalisation turns into zero.
_MEAN_COLOUR = (124, 116, 104)
_ROLES = 2


@DATASETS.register_module()
class PairDataset(DrawnDataset):
    """Views of (anchor, ¬anchor) pairs; the image and its label are decoded once for both roles.

    An item is ``dict(inputs=[view, ...], data_samples=DataSample)``. A view is a uint8 RGB tensor
    (2, 3, S, S): anchor, ¬anchor. The data sample carries ``anchor_fraction``, a float32 array (V,)
    with each view's share of anchor pixels, and the metainfo ``img_path``, ``category``,
    ``instance`` and ``pair``. With ``photometry='device'`` the item has a third key,
    ``photometry``: the parameters (V, 2, 8) for :class:`semcl_mm.models.PairDataPreprocessor`.

    An item is a function of the index and of its :class:`~semcl_mm.datasets.PairDraw`, see
    :class:`DrawnDataset`.

    Args:
        index: pair index file, or several to train on their union (SemCL-IM).
        data_root: folder that the paths of the index are relative to; one per index, or one
            for all.
        views: recipes of the views, see :class:`ViewRecipe`. Default: SemCL's three.
        size: side S of a view in pixels.
        photometry: ``'cpu'``: views come out finished. ``'device'``: views are cut only, and the
            data preprocessor applies the same parameters in a batch.
        fill: what is seen outside of a role: ``'black'`` (the paper's recipe), ``'mean'``
            (ImageNet's mean colour), ``'noise'`` (uniform noise) or an RGB triple in 0..255.
        min_anchor_fraction: crops with a smaller share of anchor pixels are drawn again; 0 takes
            the first (the paper's recipe).
        max_tries: crops drawn before the one with most anchor is taken.
        cached_images: decoded images kept per worker. One is enough for a sampler with
            ``pairs_per_image`` > 1.
        verify: whether the index is compared with the files when it is opened.

    Raises:
        ValueError: for an option out of range. When an item is read: for an image that is damaged
            or has another size than in the index. The message names the file.
    """

    def __init__(
        self,
        index: str | Path | Sequence[str | Path],
        data_root: str | Path | Sequence[str | Path],
        views: Sequence[Mapping] = SEMCL_VIEWS,
        size: int = 224,
        photometry: str = 'cpu',
        fill: str | Sequence[int] = 'black',
        min_anchor_fraction: float = 0.0,
        max_tries: int = 10,
        cached_images: int = 1,
        verify: bool = True,
    ) -> None:
        if photometry not in ('cpu', 'device'):
            raise ValueError(f"photometry={photometry!r} must be 'cpu' or 'device'")
        if not 0 <= min_anchor_fraction < 1:
            raise ValueError(f'min_anchor_fraction={min_anchor_fraction} must be in [0, 1)')
        counts = dict(size=size, max_tries=max_tries, cached_images=cached_images)
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f'{name}={value} must be at least 1')
        self.views = ViewRecipe.parse(views)
        self.size = size
        self.photometry = photometry
        self.min_anchor_fraction = min_anchor_fraction
        self.max_tries = max_tries
        self.cached_images = cached_images
        self.index = _open(index, data_root, verify)
        self._fill = _parse_fill(fill)
        self._decoded: dict[str, OrderedDict[Hashable, np.ndarray]] = {}

    @property
    def metainfo(self) -> dict:
        """Names of the classes that ``category`` counts."""
        return dict(classes=tuple(self.index.class_names))

    @property
    def index_files(self) -> list[dict]:
        """``path`` and number of ``pairs`` of each index, for the record of a run."""
        files = self.index.summary()['files']
        return [{'path': file['path'], 'pairs': file['counts']['pairs']} for file in files]

    @property
    def image_ids(self) -> np.ndarray:
        """Image of each pair, (N,)."""
        return self.index.image_ids

    @property
    def categories(self) -> np.ndarray:
        """Class of each pair, (N,)."""
        return self.index.categories

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), '_decoded': {}}

    def make(self, index: int, rng: np.random.Generator) -> dict:
        """The views of a pair, see the class."""
        record = self.index.record(index)
        image, label = self._decode(index, record)
        mask = self.index.anchor_mask(index, label)

        inputs, parameters, fractions = [], [], []
        for recipe in self.views:
            crop, fraction = self._draw_crop(recipe, mask, rng)
            photometry = draw_photometry(recipe, _ROLES, rng)
            fill = self._fill
            if fill == 'noise':
                fill = rng.integers(256, size=(_ROLES, crop.height, crop.width, 3), dtype=np.uint8)
            roles = cut_roles(image, mask, crop, self.size, fill)
            if self.photometry == 'cpu':
                roles = [apply_photometry(*role) for role in zip(roles, photometry, strict=True)]
            inputs.append(to_planes(roles))
            parameters.append(photometry)
            fractions.append(fraction)

        sample = DataSample(
            metainfo=dict(
                img_path=str(record.image_path),
                category=int(record.category),
                instance=int(record.instance),
                pair=index,
            )
        )
        # An array, not a tensor: each tensor would take a file descriptor on its way out of the
        # worker.
        sample.set_field(np.array(fractions, dtype=np.float32), 'anchor_fraction')
        item = dict(inputs=inputs, data_samples=sample)
        if self.photometry == 'device':
            item['photometry'] = torch.from_numpy(np.stack(parameters))
        return item

    def _draw_crop(
        self, recipe: ViewRecipe, mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[Crop, float]:
        best = None
        for _ in range(self.max_tries):
            crop = draw_crop(recipe, *mask.shape, self.size, rng)
            fraction = anchor_fraction(mask, crop, self.size)
            if best is None or fraction > best[1]:
                best = crop, fraction
            if fraction >= self.min_anchor_fraction:
                break
        return best

    def _decode(self, number: int, record: PairRecord) -> tuple[np.ndarray, np.ndarray]:
        """Image and label of a pair; the last few stay decoded."""
        image = self._remember('image', record.image_id, lambda: _read_image(record))
        label = self._remember(
            'label', self.index.label_key(number), lambda: self.index.read_label(number)
        )
        return image, label

    def _remember(self, kind: str, key: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of this key, from the cache of its kind (least recently used goes first)."""
        cache = self._decoded.setdefault(kind, OrderedDict())
        if key not in cache:
            cache[key] = read()
            while len(cache) > self.cached_images:
                cache.popitem(last=False)
        cache.move_to_end(key)
        return cache[key]


def _open(index, data_root, verify: bool) -> PairIndex:
    paths = [index] if isinstance(index, str | Path) else list(index)
    roots = [data_root] * len(paths) if isinstance(data_root, str | Path) else list(data_root)
    if not paths or len(paths) != len(roots):
        raise ValueError(f'{len(paths)} pair indices need as many data roots, not {len(roots)}')
    opened = [PairIndex.open(*pair, verify=verify) for pair in zip(paths, roots, strict=True)]
    return opened[0] if len(opened) == 1 else PairIndex.concatenate(opened)


def _read_image(record: PairRecord) -> np.ndarray:
    image = read_rgb(record.image_path)
    found = image.shape[1], image.shape[0]
    if found != record.size:
        raise DataError(
            f'{record.image_path}: {found[0]}x{found[1]} pixels (width x height), but the pair '
            f'index says {record.size[0]}x{record.size[1]}; build the index again'
        )
    return image


def _parse_fill(fill: str | Sequence[int]) -> str | tuple[int, int, int]:
    named = {'black': (0, 0, 0), 'mean': _MEAN_COLOUR, 'noise': 'noise'}
    if isinstance(fill, str):
        if fill not in named:
            raise ValueError(f'fill={fill!r} must be one of {list(named)} or an RGB triple')
        return named[fill]
    colour = tuple(int(value) for value in fill)
    if len(colour) != 3 or not all(0 <= value <= 255 for value in colour):
        raise ValueError(f'fill={fill!r} must be three values in 0..255')
    return colour
