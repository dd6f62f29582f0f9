"""From light to counts: blur, uneven illumination, shot noise, read noise, offset, saturation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Optics:
    """A microscope and its camera; brightness is in photo-electrons, `_e`.

    The variance of a flat image is gain * (mean - offset) + (gain * read_noise_e)**2.
    """

    psf_px: float = 1.2               # sigma of the Gaussian point spread function
    exposure_e: float = 600.0         # of light 1
    background_e: float = 25.0        # stray light and medium, fluorescence
    vignetting: float = 0.25          # share of light lost at one image diagonal / 2 from centre
    centre: tuple[float, float] = (0.5, 0.5)  # of the illumination, as a share of height, width
    stain: Mapping[str, float] = field(default_factory=dict)  # brightness factor per channel
    phase_background_e: float = 1500.0
    halo_px: float = 3.5
    halo: float = 0.6                 # strength of phase contrast
    slope: float = 0.12               # phase illumination, corner to corner
    read_noise_e: float = 2.0
    gain: float = 1.0                 # counts per electron
    offset: float = 100.0             # counts in the dark
    bits: int = 16                    # of the camera; the file is uint16 either way

    def illumination(self, shape: tuple[int, int]) -> np.ndarray:
        """Relative brightness (Y,X) float64 of an even sample: 1 in the centre of illumination."""
        y = np.arange(shape[0])[:, None] - self.centre[0] * (shape[0] - 1)
        x = np.arange(shape[1])[None] - self.centre[1] * (shape[1] - 1)
        half = float(np.hypot(*shape)) / 2
        return 1.0 / (1.0 + self.vignetting / (1 - self.vignetting) * (y**2 + x**2) / half**2)

    def fluorescence(self, light: np.ndarray, channel: str) -> np.ndarray:
        """Expected electrons (Y,X) of light (Y,X), where 1 is a well stained structure."""
        blurred = ndimage.gaussian_filter(light, self.psf_px, mode="nearest")
        factor = self.exposure_e * self.stain.get(channel, 1.0)
        return (blurred * factor + self.background_e) * self.illumination(light.shape)

    def phase_contrast(self, path: np.ndarray) -> np.ndarray:
        """Expected electrons (Y,X) of optical path differences (Y,X), where 1 is a flat cell.

        Zernike's phase plate also catches light that the cell bent only a little: the image is
        the path with its low frequencies taken away. Hence the dark body, the bright halo
        outside, and the fading of large cells towards grey (Yin et al. 2012, Med Image Anal).
        """
        path = ndimage.gaussian_filter(path, 0.8 * self.psf_px, mode="nearest")
        near = ndimage.gaussian_filter(path, self.halo_px, mode="nearest")
        far = ndimage.gaussian_filter(path, 4 * self.halo_px, mode="nearest")
        seen = np.clip(1 + self.halo * (0.6 * near + 0.15 * far - path), 0.05, None)
        height, width = path.shape
        ramp = np.add.outer(np.linspace(-0.5, 0.5, height), np.linspace(-0.5, 0.5, width))
        factor = self.phase_background_e * self.stain.get("Phase", 1.0)
        # the condenser lights the field more evenly than a fluorescence lamp: half the vignetting
        even = (1 + self.illumination(path.shape)) / 2
        return seen * factor * even * (1 + self.slope * ramp)

    def expose(self, electrons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Counts (Y,X) uint16 of expected electrons (Y,X)."""
        caught = rng.poisson(electrons) + rng.normal(0, self.read_noise_e, electrons.shape)
        counts = np.rint(self.offset + self.gain * caught)
        return counts.clip(0, 2**self.bits - 1).astype(np.uint16)
