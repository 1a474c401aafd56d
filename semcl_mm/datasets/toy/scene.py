"""What a scene is made of, and how one is drawn from a generator. Nothing here touches a pixel."""

from dataclasses import dataclass, replace

import numpy as np

from semcl_mm.datasets.toy.camera import Intrinsics, Pose, Wall
from semcl_mm.datasets.toy.classes import OBJECT_CLASSES, TEXTURES
from semcl_mm.datasets.toy.shapes import Outline, sample_outline
from semcl_mm.datasets.toy.textures import Texture, sample_texture

DEPTH_RANGE = (1.6, 4.8)  # metres, of the objects' planes
OBJECT_COUNT = (4, 9)  # objects tried per scene, both ends included


@dataclass(frozen=True)
class ToyObject:
    """An upright object facing the camera, standing on the ground.

    Args:
        category: 1-based index into ``classes.TOY_CLASSES``.
        outline: Its shape, in the units of ``radius``.
        surface: Its texture, in the units of ``radius``.
        radius: Metres per unit of the shape.
        along: Metres to the right on the ground, at time 0.
        ahead: Metres ahead on the ground, at time 0.
        roll: Rotation in the image plane in radians, at time 0.
        velocity: Metres per frame, (along, ahead).
        spin: Radians per frame.
    """

    category: int
    outline: Outline
    surface: Texture
    radius: float
    along: float
    ahead: float
    roll: float
    velocity: tuple[float, float] = (0.0, 0.0)
    spin: float = 0.0

    def at(self, time: float) -> 'ToyObject':
        """The object ``time`` frames later."""
        return replace(
            self,
            along=self.along + time * self.velocity[0],
            ahead=self.ahead + time * self.velocity[1],
            roll=self.roll + time * self.spin,
        )


@dataclass(frozen=True)
class Light:
    """A distant light: unit direction towards it (camera axes), its strength and the ambient's."""

    direction: tuple[float, float, float]
    diffuse: float
    ambient: float
    tint: tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """Everything that an image shows, except the sensor's noise."""

    objects: tuple[ToyObject, ...]
    ground: Texture
    wall_surface: Texture
    wall: Wall
    pose: Pose
    light: Light
    pan: float = 0.0  # metres per frame that the camera moves sideways

    def at(self, time: float) -> 'Scene':
        """The scene ``time`` frames later."""
        pose = replace(self.pose, sideways=self.pose.sideways + time * self.pan)
        return replace(self, objects=tuple(o.at(time) for o in self.objects), pose=pose)


def sample_scene(rng: np.random.Generator, size: tuple[int, int], moving: bool = False) -> Scene:
    """Draw a scene.

    Args:
        rng: Source of randomness; the scene is a function of its state alone.
        size: Width and height of the image in pixels.
        moving: Whether objects and camera move.
    """
    intrinsics = Intrinsics.of_size(size)
    pose = Pose(pitch=rng.uniform(0.1, 0.38), elevation=rng.uniform(0.9, 1.5))
    wall = Wall(distance=rng.uniform(7.5, 10.0), yaw=rng.uniform(-0.3, 0.3))
    objects: list[ToyObject] = []
    for _ in range(int(rng.integers(OBJECT_COUNT[0], OBJECT_COUNT[1] + 1))):
        placed = _place(rng, objects, size, intrinsics, pose, wall)
        if placed is not None:
            objects.append(_moving(placed, rng) if moving else placed)
    return Scene(
        objects=tuple(objects),
        ground=sample_texture(_any_family(rng), rng, frequency=(0.8, 2.5), contrast=(0.05, 0.35)),
        wall_surface=sample_texture(_any_family(rng), rng, (0.5, 2.0), contrast=(0.05, 0.35)),
        wall=wall,
        pose=pose,
        light=_sample_light(rng),
        pan=rng.uniform(-0.02, 0.02) if moving else 0.0,
    )


def _any_family(rng: np.random.Generator) -> str:
    return TEXTURES[rng.integers(len(TEXTURES))]


def _place(
    rng: np.random.Generator,
    others: list[ToyObject],
    size: tuple[int, int],
    intrinsics: Intrinsics,
    pose: Pose,
    wall: Wall,
) -> ToyObject | None:
    """A new object at a free spot of the ground, or None after a dozen vain attempts."""
    category = int(rng.integers(1, len(OBJECT_CLASSES) + 1))
    kind = OBJECT_CLASSES[category - 1]
    candidate = ToyObject(
        category=category,
        outline=sample_outline(kind.shape, rng),
        surface=sample_texture(kind.texture, rng, frequency=(1.3, 2.0), contrast=(0.35, 0.65)),
        radius=rng.uniform(0.36, 0.6),
        along=0.0,
        ahead=0.0,
        roll=rng.uniform(0, 2 * np.pi),
    )
    for _ in range(12):
        # Uniform in log depth: as many doublings of the size as halvings.
        depth = np.exp(rng.uniform(*np.log(DEPTH_RANGE)))
        column = rng.uniform(0.05, 0.95) * size[0]
        along = depth * (column - intrinsics.cx) / intrinsics.fx
        ahead = (depth - pose.elevation * np.sin(pose.pitch)) / np.cos(pose.pitch)
        base = pose.to_camera(along, ahead)
        row = intrinsics.cy + intrinsics.fy * (base[1] - candidate.radius) / base[2]
        apart = all(
            np.hypot(along - o.along, ahead - o.ahead) > 0.7 * (candidate.radius + o.radius)
            for o in others
        )
        if row < size[1] and apart and wall.clearance(along, ahead) > 2 * candidate.radius:
            return replace(candidate, along=along, ahead=ahead)
    return None


def _moving(still: ToyObject, rng: np.random.Generator) -> ToyObject:
    heading, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.01, 0.06)
    return replace(
        still,
        velocity=(speed * np.cos(heading), 0.5 * speed * np.sin(heading)),
        spin=rng.uniform(-0.08, 0.08),
    )


def _sample_light(rng: np.random.Generator) -> Light:
    azimuth, height = rng.uniform(-1.2, 1.2), rng.uniform(0.4, 1.1)
    direction = np.array([np.sin(azimuth), -height, -np.cos(azimuth)])
    direction /= np.linalg.norm(direction)
    warmth = rng.uniform(-0.06, 0.06)
    ambient = rng.uniform(0.35, 0.6)
    return Light(
        direction=tuple(direction),
        diffuse=rng.uniform(0.95, 1.15) - ambient,
        ambient=ambient,
        tint=(1 + warmth, 1.0, 1 - warmth),
    )
