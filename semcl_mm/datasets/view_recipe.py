"""What one view of an image or a pair is made of, as plain data.

A recipe says how the crop is drawn and how strong the photometry is. It is read by the geometry
(:mod:`semcl_mm.datasets.crops`) and by the photometry
(:mod:`semcl_mm.datasets.photometry`), so one list of dicts in a config describes a method's views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

__all__ = [
    'BYOL_VIEWS',
    'MOCO_VIEWS',
    'SEMCL_VIEWS',
    'SIMCLR_VIEWS',
    'TOY_VIEWS',
    'ViewRecipe',
]

CROPS = ('resize_short', 'random_resized')


@dataclass(frozen=True)
class ViewRecipe:
    """One view: its crop, its flip and its photometry. Both roles of a pair share every decision.

    Args:
        crop: ``'resize_short'`` (the short side becomes the view's side, then a random square of
            it) or ``'random_resized'`` (a random box of the image, resized to the square).
        scale: range of the box's share of the image area, in (0, 1]; ``random_resized`` only.
        ratio: range of the box's width / height, drawn log-uniformly; ``random_resized`` only.
        flip: probability of a horizontal flip.
        jitter: probability of colour jitter; its four operations come in random order.
        brightness: half width of the factor's range around 1; contrast, saturation alike.
        contrast: see ``brightness``.
        saturation: see ``brightness``.
        hue: half width of the hue shift in turns, in [0, 0.5].
        gray: probability of dropping the colour.
        blur: probability of a Gaussian blur.
        sigma: range of the blur's standard deviation in pixels of the view.
        solarize: probability of inverting the values at or above ``threshold``.
        threshold: solarisation threshold in 0..256.
    """

    crop: str = 'random_resized'
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    gray: float = 0.0
    blur: float = 0.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarize: float = 0.0
    threshold: float = 128.0

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise ValueError(f'crop={self.crop!r} of a view must be one of {list(CROPS)}')
        for name in ('flip', 'jitter', 'gray', 'blur', 'solarize'):
            self._require(name, 0, 1, 'a probability')
        for name in ('brightness', 'contrast', 'saturation'):
            self._require(name, 0, 1, 'the half width of a factor around 1')
        self._require('hue', 0, 0.5, 'a part of a turn')
        self._require('threshold', 0, 256, 'a pixel value')
        for name in ('scale', 'ratio', 'sigma'):
            value = tuple(getattr(self, name))
            if len(value) != 2 or not 0 < value[0] <= value[1]:
                raise ValueError(f'{name}={value} of a view must be (low, high), 0 < low <= high')
            object.__setattr__(self, name, value)
        if self.scale[1] > 1:
            raise ValueError(f'scale={self.scale} of a view must not exceed 1, the whole image')

    def _require(self, name: str, low: float, high: float, meaning: str) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ValueError(f'{name}={value} of a view must be {meaning}, in [{low}, {high}]')

    @classmethod
    def parse(cls, views: Sequence[Mapping] | str) -> tuple['ViewRecipe', ...]:
        """Turn the list of dicts of a config into recipes.

        A config that was written out names a list of this module instead of holding it; such a
        name (``'semcl_mm.datasets.MOCO_VIEWS'`` or just ``'MOCO_VIEWS'``) is as good as the list.

        Raises:
            ValueError: if the list is empty or a dict has an unknown key or a bad value.
        """
        if isinstance(views, str):
            name = views.rpartition('.')[2]
            if name not in _NAMED:
                raise ValueError(f'views={views!r} must be a list or one of {sorted(_NAMED)}')
            views = _NAMED[name]
        if not views:
            raise ValueError('views is empty: at least one view is needed')
        known = {field.name for field in fields(cls)}
        recipes = []
        for number, view in enumerate(views):
            if isinstance(view, cls):
                recipes.append(view)
                continue
            unknown = sorted(set(view) - known)
            if unknown:
                raise ValueError(
                    f'view {number} has unknown keys {unknown}; known: {sorted(known)}'
                )
            recipes.append(cls(**view))
        return tuple(recipes)


_STRONG = dict(
    crop='random_resized',
    jitter=0.8,
    brightness=0.4,
    contrast=0.4,
    saturation=0.2,
    hue=0.1,
    gray=0.2,
)

#: BYOL's two views: one always blurred, one sometimes blurred or solarised (PixCon, SlotCon, …).
BYOL_VIEWS: tuple[dict, ...] = (
    dict(_STRONG, blur=1.0),
    dict(_STRONG, blur=0.1, solarize=0.2),
)

#: The three views of SemCL's code: a mild one before BYOL's two. The paper describes a single
#: pipeline and names neither the mild view nor the solarisation.
SEMCL_VIEWS: tuple[dict, ...] = (dict(crop='resize_short'), *BYOL_VIEWS)

#: MoCo v2's views, both drawn alike (DenseCL and CACL use them too).
MOCO_VIEWS: tuple[dict, ...] = (dict(_STRONG, scale=(0.2, 1.0), saturation=0.4, blur=0.5),) * 2

#: SimCLR's views with colour strength 1, both drawn alike.
SIMCLR_VIEWS: tuple[dict, ...] = (
    dict(_STRONG, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, blur=0.5),
) * 2

#: For the toy world, whose classes differ in texture and shape but not in colour: colours vary as
#: much as they can, nothing is blurred, and a view shows at least half of its image.
TOY_VIEWS: tuple[dict, ...] = (
    dict(_STRONG, scale=(0.5, 1.0), jitter=1.0, saturation=0.4, hue=0.5, gray=0.5),
) * 2

_NAMED = dict(
    BYOL_VIEWS=BYOL_VIEWS,
    MOCO_VIEWS=MOCO_VIEWS,
    SEMCL_VIEWS=SEMCL_VIEWS,
    SIMCLR_VIEWS=SIMCLR_VIEWS,
    TOY_VIEWS=TOY_VIEWS,
)
