"""The numbers that a toy world is a function of."""

from dataclasses import asdict, dataclass

import numpy as np

#: Raised whenever the same parameters would give other files, so that old worlds are not reused.
GENERATOR_VERSION = 2
SIDE_RANGE = (48, 1024)
VAL_SHARE = 0.25

_SCENES, _CLIPS, _SENSOR = range(3)  # independent random streams


@dataclass(frozen=True)
class ToyParameters:
    """What to make.

    Args:
        scenes: Number of still images, at least 2; the last quarter is the validation split.
        clips: Number of clips, 0 for none; the last quarter (at least one of two) is validation.
        frames: Frames per clip, at least 2.
        size: Width and height in pixels, each from 48 to 1024.
        seed: Any non-negative integer.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    scenes: int = 400
    clips: int = 96
    frames: int = 8
    size: tuple[int, int] = (160, 120)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, 'size', tuple(self.size))
        if len(self.size) != 2:
            raise ValueError(f'size must be (width, height), got {self.size}')
        bounds = {
            'scenes': (self.scenes, 2, 99_999),
            'clips': (self.clips, 0, 999),
            'frames': (self.frames, 2, 9_999),
            'width': (self.size[0], *SIDE_RANGE),
            'height': (self.size[1], *SIDE_RANGE),
            'seed': (self.seed, 0, 2**63 - 1),
        }
        for name, (value, low, high) in bounds.items():
            is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not is_integer or not low <= value <= high:
                raise ValueError(f'{name} must be an integer from {low} to {high}, got {value!r}')

    def as_json(self) -> dict:
        """The parameters as they stand in ``toy.json``."""
        plain = asdict(self)
        plain = {key: value if key == 'size' else int(value) for key, value in plain.items()}
        return {**plain, 'size': [int(v) for v in self.size]}

    def split_of_scene(self, index: int) -> str:
        """``'train'`` or ``'val'``."""
        return 'val' if index >= self.scenes - _val_count(self.scenes) else 'train'

    def split_of_clip(self, index: int) -> str:
        """``'train'`` or ``'val'``."""
        return 'val' if index >= self.clips - _val_count(self.clips) else 'train'

    def scene_rng(self, index: int, attempt: int) -> np.random.Generator:
        """The generator that draws still image ``index``."""
        return self._rng(_SCENES, index, attempt)

    def clip_rng(self, index: int) -> np.random.Generator:
        """The generator that draws clip ``index``."""
        return self._rng(_CLIPS, index)

    def sensor_rng(self, *key: int) -> np.random.Generator:
        """The generator of one image's blur and noise."""
        return self._rng(_SENSOR, *key)

    def _rng(self, *key: int) -> np.random.Generator:
        sequence = np.random.SeedSequence(entropy=int(self.seed), spawn_key=key)
        return np.random.Generator(np.random.PCG64(sequence))


def _val_count(count: int) -> int:
    return max(round(VAL_SHARE * count), min(count - 1, 1), 0)
