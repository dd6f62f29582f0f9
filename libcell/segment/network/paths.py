"""Where every pixel of a cell ends up that goes along the predicted directions, step by step.

Everything is in whole numbers, 1/256 of a pixel, so a path does not depend on where the window
lies that it is computed in, and pixels that go to the same place can be counted exactly.
"""

import numpy as np

from libcell.compiled import compiled

UNIT = 127  # the int8 that stands for a direction of length 1
STEP_PX = 2  # how far one step goes at length 1
SETTLE = 8  # steps beyond those that the reach takes: over the last pixels they get shorter
FINE = 256  # positions are in 1/FINE pixels


def ends(ways: np.ndarray, cell: np.ndarray, reach_px: int) -> np.ndarray:
    """Flat index (int64, shaped like `cell`) of the pixel where each pixel's path ends; -1 outside.

    ways   (2,Y,X) or (3,Z,Y,X) int8, along [z,] y, x; 127 is length 1
    cell   (Y,X) or (Z,Y,X) bool, where paths begin; they may lead through what is no cell, so
           that a hole in a cell does not hold them up

    No end is further than `travel_px(reach_px)` along any axis.
    """
    found = np.full(cell.shape, -1, np.int64)
    steps = reach_px // STEP_PX + SETTLE
    if cell.ndim == 2:
        _follow_flat(ways, cell, steps, found)
    else:
        _follow_deep(ways, cell, steps, found)
    return found


def travel_px(reach_px: int) -> int:
    """The farthest that a path looks."""
    return (reach_px // STEP_PX + SETTLE) * STEP_PX + 2


@compiled
def _bounded(value: int, highest: int) -> int:
    return min(max(value, 0), highest)


@compiled
def _follow_flat(ways: np.ndarray, cell: np.ndarray, steps: int, found: np.ndarray) -> None:
    height, width = cell.shape
    for y0 in range(height):
        for x0 in range(width):
            if not cell[y0, x0]:
                continue
            y, x = y0 * FINE, x0 * FINE
            for _ in range(steps):
                iy, ix = y // FINE, x // FINE
                fy, fx = y - iy * FINE, x - ix * FINE
                along_y = along_x = 0
                for dy in range(2):
                    for dx in range(2):
                        weight = (fy if dy else FINE - fy) * (fx if dx else FINE - fx)
                        py, px = min(iy + dy, height - 1), min(ix + dx, width - 1)
                        if weight:
                            along_y += weight * ways[0, py, px]
                            along_x += weight * ways[1, py, px]
                ny = _bounded(y + along_y * STEP_PX // (UNIT * FINE), (height - 1) * FINE)
                nx = _bounded(x + along_x * STEP_PX // (UNIT * FINE), (width - 1) * FINE)
                if ny == y and nx == x:
                    break
                y, x = ny, nx
            found[y0, x0] = (y + FINE // 2) // FINE * width + (x + FINE // 2) // FINE


@compiled
def _follow_deep(ways: np.ndarray, cell: np.ndarray, steps: int, found: np.ndarray) -> None:
    depth, height, width = cell.shape
    for z0 in range(depth):
        for y0 in range(height):
            for x0 in range(width):
                if not cell[z0, y0, x0]:
                    continue
                z, y, x = z0 * FINE, y0 * FINE, x0 * FINE
                for _ in range(steps):
                    iz, iy, ix = z // FINE, y // FINE, x // FINE
                    fz, fy, fx = z - iz * FINE, y - iy * FINE, x - ix * FINE
                    along_z = along_y = along_x = 0
                    for corner in range(8):
                        dz, dy, dx = corner >> 2, (corner >> 1) & 1, corner & 1
                        weight = (fz if dz else FINE - fz) * (fy if dy else FINE - fy)
                        weight *= fx if dx else FINE - fx
                        pz, py = min(iz + dz, depth - 1), min(iy + dy, height - 1)
                        px = min(ix + dx, width - 1)
                        if weight:
                            along_z += weight * ways[0, pz, py, px]
                            along_y += weight * ways[1, pz, py, px]
                            along_x += weight * ways[2, pz, py, px]
                    whole = UNIT * FINE * FINE
                    nz = _bounded(z + along_z * STEP_PX // whole, (depth - 1) * FINE)
                    ny = _bounded(y + along_y * STEP_PX // whole, (height - 1) * FINE)
                    nx = _bounded(x + along_x * STEP_PX // whole, (width - 1) * FINE)
                    if nz == z and ny == y and nx == x:
                        break
                    z, y, x = nz, ny, nx
                place = (z + FINE // 2) // FINE * height + (y + FINE // 2) // FINE
                found[z0, y0, x0] = place * width + (x + FINE // 2) // FINE
