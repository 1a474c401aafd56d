"""From a scene to an image with its instance map and depth.

Everything is evaluated on a grid three times as fine, by a depth buffer: the image is the mean of
the nine samples of a pixel (antialiased edges and textures), labels and depth are the sample at
the pixel's centre, and a pixel that no surface clearly owns is contour.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from semcl_mm.datasets.toy.camera import Intrinsics, Room, view_room
from semcl_mm.datasets.toy.scene import Light, Scene, ToyObject

OVERSAMPLING = 3
CONTOUR_OWNERSHIP = 2 / 3  # a pixel is contour if no surface holds more of its samples
MIN_VISIBLE = 0.3  # share of an object's silhouette that must be in sight
MIN_AREA = 0.0015  # share of the image that an object must cover


@dataclass(frozen=True)
class Frame:
    """A rendered scene.

    Args:
        image: (H, W, 3) float32, RGB, about [0, 1], before the sensor.
        instance: (H, W) uint8, 0 for the room, ``i + 1`` for ``objects[i]``.
        contour: (H, W) bool, pixels shared by several surfaces.
        depth: (H, W) float32, metres.
        objects: The objects that the instance map refers to.
        positions: Where each of them stands in the scene's ``objects``.
    """

    image: np.ndarray
    instance: np.ndarray
    contour: np.ndarray
    depth: np.ndarray
    objects: tuple[ToyObject, ...]
    positions: tuple[int, ...]

    @property
    def category(self) -> np.ndarray:
        """The class map, (H, W) uint8, 0 for the room."""
        table = np.array([0, *(o.category for o in self.objects)], np.uint8)
        return table[self.instance]


@dataclass(frozen=True)
class _Layer:
    """One object on the part of the fine grid that it can cover."""

    position: int  # in the scene's objects
    source: ToyObject
    window: tuple[slice, slice]
    x: np.ndarray  # object coordinates
    y: np.ndarray
    inside: np.ndarray
    relief: np.ndarray  # in units of the shape
    depth: np.ndarray
    spacing: float  # of the grid, in units of the shape


def render(scene: Scene, size: tuple[int, int], drop_hidden: bool = False) -> Frame:
    """Render a scene without the sensor's noise.

    Args:
        scene: What to show.
        size: Width and height in pixels.
        drop_hidden: Leave out objects that are hardly in sight (see ``MIN_VISIBLE``, ``MIN_AREA``).

    Returns:
        The frame; its objects are the scene's, less the ones left out, nearest first.
    """
    intrinsics = Intrinsics.of_size(size)
    # Sample 1 of every three lies on the pixel's centre, whose coordinate is an integer.
    u = (np.arange(size[0] * OVERSAMPLING) - 1) / OVERSAMPLING
    v = (np.arange(size[1] * OVERSAMPLING) - 1) / OVERSAMPLING
    room = view_room(u, v, intrinsics, scene.pose, scene.wall)
    layers = [_lay(i, scene, intrinsics, u, v) for i in range(len(scene.objects))]
    layers = sorted((x for x in layers if x is not None), key=lambda x: float(x.depth.max()))
    owner, depth = _depth_buffer(layers, room)
    while drop_hidden and (in_sight := _in_sight(layers, owner)) != layers:
        layers = in_sight
        owner, depth = _depth_buffer(layers, room)
    centre = (slice(1, None, OVERSAMPLING),) * 2
    return Frame(
        image=_shade(scene, room, layers, owner, size),
        instance=owner[centre].copy(),
        contour=_contour(owner, len(layers)),
        depth=depth[centre].copy(),
        objects=tuple(layer.source for layer in layers),
        positions=tuple(layer.position for layer in layers),
    )


def _lay(
    position: int, scene: Scene, intrinsics: Intrinsics, u: np.ndarray, v: np.ndarray
) -> _Layer | None:
    """An object on the fine grid, or None where it lies outside of the image."""
    source = scene.objects[position]
    base = scene.pose.to_camera(source.along, source.ahead)
    if base[2] <= 2 * source.radius:  # would touch the camera
        return None
    sin, cos = np.float32(np.sin(source.roll)), np.float32(np.cos(source.roll))
    reach, foot = _extent(source, sin, cos)
    per_unit = intrinsics.fx * source.radius / base[2]
    centre_u = intrinsics.cx + intrinsics.fx * base[0] / base[2]
    centre_v = intrinsics.cy + intrinsics.fy * base[1] / base[2] - foot * per_unit
    columns = slice(*np.searchsorted(u, centre_u + per_unit * reach * np.array([-1, 1])))
    rows = slice(*np.searchsorted(v, centre_v + per_unit * reach * np.array([-1, 1])))
    if columns.start >= columns.stop or rows.start >= rows.stop:
        return None
    right = ((u[columns] - centre_u) / per_unit).astype(np.float32)[None, :]
    down = ((v[rows] - centre_v) / per_unit).astype(np.float32)[:, None]
    x, y = right * cos + down * sin, down * cos - right * sin
    distance = source.outline.distance(x, y)
    relief = source.outline.relief(distance)
    return _Layer(
        position=position,
        source=source,
        window=(rows, columns),
        x=x,
        y=y,
        inside=distance < 0,
        relief=relief,
        depth=np.float32(base[2]) - np.float32(source.radius) * relief,
        spacing=1 / (OVERSAMPLING * per_unit),
    )


def _extent(source: ToyObject, sin: np.float32, cos: np.float32) -> tuple[float, float]:
    """How far the rolled shape reaches in any direction and how far down, in its units."""
    axis = np.linspace(-1.6, 1.6, 65, dtype=np.float32)
    right, down = axis[None, :], axis[:, None]
    inside = source.outline.distance(right * cos + down * sin, down * cos - right * sin) < 0
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    step = axis[1] - axis[0]
    corners = axis[[rows[0], rows[-1], columns[0], columns[-1]]]
    return float(np.abs(corners).max() + step), float(corners[1] + step / 2)


def _depth_buffer(layers: list[_Layer], room: Room) -> tuple[np.ndarray, np.ndarray]:
    """The 1-based owner (uint8, 0 the room) and the depth of each sample: the nearest wins."""
    owner, depth = np.zeros(room.depth.shape, np.uint8), room.depth.copy()
    for number, layer in enumerate(layers, 1):
        nearer = layer.inside & (layer.depth < depth[layer.window])
        depth[layer.window][nearer] = layer.depth[nearer]
        owner[layer.window][nearer] = number
    return owner, depth


def _in_sight(layers: list[_Layer], owner: np.ndarray) -> list[_Layer]:
    visible = np.bincount(owner.ravel(), minlength=len(layers) + 1)[1:]
    return [
        layer
        for layer, count in zip(layers, visible, strict=True)
        if count >= MIN_AREA * owner.size and count >= MIN_VISIBLE * layer.inside.sum()
    ]


def _contour(owner: np.ndarray, count: int) -> np.ndarray:
    """(H, W) bool: pixels whose samples are split between surfaces."""
    height, width = (n // OVERSAMPLING for n in owner.shape)
    samples = owner.reshape(height, OVERSAMPLING, width, OVERSAMPLING).swapaxes(1, 2)
    samples = samples.reshape(height, width, -1)
    split = np.flatnonzero((samples != samples[..., :1]).any(-1))
    # Only the few split pixels need the count of their most frequent owner.
    candidates = samples.reshape(height * width, -1)[split]
    most = (candidates[:, :, None] == candidates[:, None, :]).sum(-1).max(-1)
    contour = np.zeros(height * width, bool)
    contour[split] = most <= CONTOUR_OWNERSHIP * OVERSAMPLING**2
    return contour.reshape(height, width)


def _shade(
    scene: Scene, room: Room, layers: list[_Layer], owner: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    colour = _shade_room(scene, room, layers)
    for number, layer in enumerate(layers, 1):
        lit = layer.source.surface.colour(layer.x, layer.y, _brightness(layer, scene.light))
        part = colour[(slice(None), *layer.window)]
        np.copyto(part, lit, where=owner[layer.window] == number)
    planes = [
        tint * cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        for tint, plane in zip(np.float32(scene.light.tint), colour, strict=True)
    ]
    return np.stack(planes, axis=-1)


def _brightness(layer: _Layer, light: Light) -> np.ndarray:
    """Lambert's law on the inflated surface plus a small highlight, (H, W) float32."""
    if min(layer.relief.shape) < 2:
        return np.full_like(layer.relief, light.ambient + light.diffuse)
    slope_y, slope_x = np.gradient(layer.relief, np.float32(layer.spacing))
    to_light = np.asarray(light.direction, np.float32)
    facing = -(slope_x * to_light[0] + slope_y * to_light[1] + to_light[2])
    facing = np.maximum(facing / np.sqrt(slope_x**2 + slope_y**2 + 1), 0)
    return light.ambient + np.float32(light.diffuse) * facing + np.float32(0.25) * facing**16


def _shade_room(scene: Scene, room: Room, layers: list[_Layer]) -> np.ndarray:
    """Ground and wall, (3, H, W) float32."""
    brightness = _room_brightness(scene, room, layers)
    colour = np.empty((3, *brightness.shape), np.float32)
    for surface, owned in ((scene.ground, room.is_ground), (scene.wall_surface, ~room.is_ground)):
        if not owned.any():
            continue
        # Each fills one end of the image: only the rows where it appears need its texture.
        shown = np.flatnonzero(owned.any(1))
        rows = slice(shown[0], shown[-1] + 1)
        lit = surface.colour(room.x[rows], room.y[rows], brightness[rows])
        np.copyto(colour[:, rows], lit, where=owned[rows])
    return colour


def _room_brightness(scene: Scene, room: Room, layers: list[_Layer]) -> np.ndarray:
    """Light on ground and wall with soft shadows; smooth, so computed once per pixel."""
    light, pose, wall = scene.light, scene.pose, scene.wall
    centre = (slice(1, None, OVERSAMPLING),) * 2
    x, y, is_ground = room.x[centre], room.y[centre], room.is_ground[centre]
    up = np.array([0, -np.cos(pose.pitch), -np.sin(pose.pitch)])
    on_ground = light.ambient + light.diffuse * max(float(up @ light.direction), 0.0)
    on_wall = light.ambient + 0.5 * light.diffuse
    # Less of the sky reaches the corner between the two.
    corner = np.where(is_ground, wall.distance - y * np.cos(wall.yaw) - x * np.sin(wall.yaw), y)
    shadow = 1 - np.float32(0.35) * np.exp(-np.maximum(corner, 0).astype(np.float32))
    for layer in layers:
        source = layer.source
        across = x - np.float32(source.along - 0.4 * source.radius * light.direction[0])
        behind = y - np.float32(source.ahead + 0.25 * source.radius)
        spread = (across / (0.8 * source.radius)) ** 2 + (behind / (0.55 * source.radius)) ** 2
        shadow *= 1 - np.float32(0.6) * np.exp(-spread.astype(np.float32)) * is_ground
    brightness = np.where(is_ground, on_ground, on_wall).astype(np.float32) * shadow
    return cv2.resize(brightness, room.depth.shape[::-1], interpolation=cv2.INTER_LINEAR)


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sensor: a slight blur, exposure, noise and eight bits.

    Args:
        image: (H, W, 3) float32.
        rng: Source of the blur's, the exposure's and the noise's randomness.

    Returns:
        (H, W, 3) uint8.
    """
    blur, exposure, noise = rng.uniform(0.2, 0.6), rng.uniform(0.85, 1.1), rng.uniform(0.005, 0.02)
    image = cv2.GaussianBlur(image, (0, 0), blur) * np.float32(exposure)
    image += np.float32(noise) * rng.standard_normal(image.shape, np.float32)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
