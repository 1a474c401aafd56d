"""The pinhole camera, and the room it looks into: a ground plane and a back wall.

Camera coordinates are metres, x right, y down, z forward; depth is z. Pixel centres have integer
coordinates. The camera looks down by ``pitch`` from ``elevation`` above the ground.
"""

from dataclasses import dataclass

import numpy as np

FOCAL_PER_WIDTH = 0.9  # focal length over image width: a horizontal field of view of 58 degrees


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels; the same for every image of a world."""

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of_size(cls, size: tuple[int, int]) -> 'Intrinsics':
        """The camera of images of ``size`` (width, height)."""
        width, height = size
        focal = FOCAL_PER_WIDTH * width
        return cls(focal, focal, (width - 1) / 2, (height - 1) / 2)


@dataclass(frozen=True)
class Pose:
    """Where the camera stands: pitch (radians), elevation and sideways position (metres)."""

    pitch: float
    elevation: float
    sideways: float = 0.0

    def to_camera(self, along: float, ahead: float) -> np.ndarray:
        """The camera coordinates (3,) of the ground point ``along`` to the right, ``ahead``."""
        sin, cos = np.sin(self.pitch), np.cos(self.pitch)
        return np.array(
            [
                along - self.sideways,
                self.elevation * cos - ahead * sin,
                self.elevation * sin + ahead * cos,
            ]
        )


@dataclass(frozen=True)
class Wall:
    """The vertical back wall: its distance in metres straight ahead and its yaw in radians."""

    distance: float
    yaw: float

    def clearance(self, along: float, ahead: float) -> float:
        """Metres between a ground point and the wall, negative behind it."""
        return self.distance - ahead * np.cos(self.yaw) - along * np.sin(self.yaw)


@dataclass(frozen=True)
class Room:
    """Per-sample geometry of the empty room, every array (H, W) float32.

    ``depth`` in metres, ``is_ground``, and the surface coordinates in metres: (x right, y ahead) on
    the ground, (x along the wall, y upwards) on the wall.
    """

    depth: np.ndarray
    is_ground: np.ndarray
    x: np.ndarray
    y: np.ndarray


def view_room(u: np.ndarray, v: np.ndarray, intrinsics: Intrinsics, pose: Pose, wall: Wall) -> Room:
    """Intersect the rays of the image positions with the room.

    Args:
        u: (W,) horizontal positions in pixels.
        v: (H,) vertical positions in pixels.
        intrinsics: The camera.
        pose: Where it stands.
        wall: The back wall.

    Returns:
        The nearer of ground and wall for every pair of positions.
    """
    ray_x = ((u - intrinsics.cx) / intrinsics.fx).astype(np.float32)[None, :]
    ray_y = ((v - intrinsics.cy) / intrinsics.fy).astype(np.float32)[:, None]
    sin, cos = np.float32(np.sin(pose.pitch)), np.float32(np.cos(pose.pitch))
    down, ahead = ray_y * cos + sin, cos - ray_y * sin  # (H, 1) rates along the ray, per depth
    turn_sin, turn_cos = np.float32(np.sin(wall.yaw)), np.float32(np.cos(wall.yaw))
    # Inverse depths: linear in the image, the larger one wins, zero or less is never reached.
    to_ground = down / np.float32(pose.elevation)
    shift = np.float32(wall.distance - pose.sideways * np.sin(wall.yaw))
    to_wall = (ahead * turn_cos + ray_x * turn_sin) / shift
    is_ground = to_ground > to_wall
    depth = 1 / np.maximum(to_ground, to_wall)
    right = depth * ray_x + np.float32(pose.sideways)
    forward = depth * ahead
    return Room(
        depth=depth,
        is_ground=is_ground,
        x=np.where(is_ground, right, right * turn_cos - forward * turn_sin),
        y=np.where(is_ground, forward, np.float32(pose.elevation) - depth * down),
    )
