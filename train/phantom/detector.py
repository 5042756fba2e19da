"""From attenuation to stored values: beam, scatter, noise, the console's processing, markers."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge_retrieve.train.phantom.acquisition import Exposure
from edge_retrieve.train.phantom.anatomy import Anatomy
from edge_retrieve.train.phantom.curves import stream
from edge_retrieve.train.phantom.frame import Frame, Map, blur
from edge_retrieve.train.phantom.organs import MU_LUNG, MU_TISSUE

_WHITE = 4095


def expose(attenuation: Map, exposure: Exposure, frame: Frame, study_seed: int) -> Map:
    """Return the log signal behind the patient: attenuation as the detector sees it.

    Beam hardening makes attenuation grow less than linearly; scatter adds a blurred copy of the primary;
    counts carry Poisson noise (in its normal approximation) and a constant electronic noise.
    """
    scale = frame.size / 512
    seen = attenuation * (1 - np.float32(exposure.hardening) * np.minimum(attenuation, 8))
    primary = cv2.exp(-blur(seen, exposure.focal_blur * scale))
    # Scatter cannot exceed what reaches the body: behind thick parts it is a veil over a small primary.
    veil = blur(np.minimum(primary, np.float32(0.14)), 34 * scale) * np.float32(exposure.scatter)
    signal = primary + veil
    rng = stream(study_seed, 61)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noise = np.float32(0.8) * noise + np.float32(0.35) * np.roll(noise, 1, axis=1)
    photons = np.float32(exposure.photons * 1000)
    signal = signal + noise * np.sqrt(signal / photons + np.float32((2.0 / float(photons)) ** 2))
    y = np.linspace(-0.5, 0.5, frame.size, dtype=np.float32)[:, None]
    signal = signal * (1 + np.float32(exposure.heel) * y)
    return np.asarray(-cv2.log(np.maximum(signal, np.float32(1e-4))))


def reference(anatomy: Anatomy, exposure: Exposure) -> tuple[float, float]:
    """Return the log signal expected behind lung and behind the mediastinum of a patient.

    A console finds them in the histogram; here they come from the patient, so that a lesion never
    changes how the rest of its image is displayed.
    """
    tissue = MU_TISSUE * 0.96 * anatomy.chest_depth
    lung = tissue - (MU_TISSUE - MU_LUNG) * 0.66 * anatomy.lung_depth
    dense = tissue - (MU_TISSUE - MU_LUNG) * 0.06 * anatomy.lung_depth + 0.2
    log = []
    for value, veil in ((lung, 0.045), (dense, 0.020)):  # scatter behind dense parts comes from dense parts
        primary = np.exp(-value * (1 - exposure.hardening * value))
        log.append(-np.log(primary + veil * exposure.scatter))
    return float(log[0]), float(log[1])


def develop(signal: Map, anatomy: Anatomy, exposure: Exposure, frame: Frame) -> Map:
    """Return display values, 0 black to 1 white, as a console would process the log signal."""
    scale = frame.size / 512
    lung, dense = reference(anatomy, exposure)
    value = (signal - np.float32(lung)) * np.float32(1 / max(dense - lung, 0.2))
    value = np.clip(value, -1.6, 3.0)
    # Dynamic range compression: part of the low frequencies goes.
    low = blur(value, 38 * scale)
    value = value - np.float32(exposure.equalise * 0.6) * (np.clip(low, -0.3, 3.0) - np.float32(0.45))
    fine = value - blur(value, exposure.sharpen_radius * scale)
    value = value + np.float32(exposure.sharpen * 0.6) * np.clip(fine, -0.3, 0.3)
    gain = np.float32((exposure.dense_grey - exposure.lung_grey) / (1 - 0.45 * exposure.equalise))
    shown = np.float32(exposure.lung_grey) + (value - np.float32(0.27 * exposure.equalise)) * gain
    shown = _knees(shown) ** np.float32(exposure.toe)
    if exposure.local_contrast > 0:
        clahe = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4))
        local = clahe.apply((shown * 65535).astype(np.uint16)).astype(np.float32) * np.float32(1 / 65535)
        shown = shown + np.float32(exposure.local_contrast) * (local - shown)
    return np.asarray(shown)


def _knees(shown: Map) -> Map:
    """Return display values through a curve with soft ends, as film and consoles have: 0 to 1."""
    low, high, reach = np.float32(0.12), np.float32(0.66), np.float32(0.52)
    over = np.maximum(shown - high, 0)
    under = np.maximum(low - shown, 0)
    middle = np.clip(shown, low, high)
    white = (1 - high) * (1 - cv2.exp(-over / reach))
    return np.asarray(middle + white - low * (1 - cv2.exp(-under / low)))


def finish(shown: Map, exposure: Exposure, frame: Frame) -> tuple[npt.NDArray[np.uint16], float, float]:
    """Return stored values with marker and black borders, and the window a console would set."""
    rng = stream(exposure.marker, 71)
    image = np.ascontiguousarray(np.clip(shown, 0, 1))
    _marker(image, rng, frame)
    _shutter(image, exposure, frame)
    span = float(rng.uniform(0.7, 1.0)) * _WHITE
    start = float(rng.uniform(0, _WHITE - span))
    stored = np.round(image * np.float32(span) + np.float32(start)).astype(np.uint16)
    return np.minimum(stored, _WHITE).astype(np.uint16), start + span / 2, span


def _shutter(image: Map, exposure: Exposure, frame: Frame) -> None:
    x1, y1, x2, y2 = frame.field
    left, top, right, bottom = exposure.collimation
    wide, tall = x2 - x1, y2 - y1
    a, b = round(y1 + top * tall), round(y2 - bottom * tall)
    c, d = round(x1 + left * wide), round(x2 - right * wide)
    image[:a] = 0
    image[b:] = 0
    image[:, :c] = 0
    image[:, d:] = 0


def _marker(image: Map, rng: np.random.Generator, frame: Frame) -> None:
    """Put the side letter at the patient's side of the upper corner, sometimes with text."""
    if rng.random() < 0.2:
        return
    ink = np.zeros(image.shape, np.uint8)
    x1, y1, x2, y2 = frame.field
    right = rng.random() < 0.5
    letter = (
        str(rng.choice(["R", "D"], p=[0.85, 0.15])) if right else str(rng.choice(["L", "S"], p=[0.85, 0.15]))
    )
    height = float(rng.uniform(0.025, 0.05)) * frame.size
    size, thick = height / 22, max(1, round(height / 9))
    x = x1 + rng.uniform(0.02, 0.08) * (x2 - x1) if right else x2 - rng.uniform(0.05, 0.11) * (x2 - x1)
    y = y1 + rng.uniform(0.05, 0.2) * (y2 - y1)
    grey = float(rng.uniform(0.85, 1.0))
    cv2.putText(ink, letter, (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick, cv2.LINE_AA)
    if rng.random() < 0.08:  # a figure's letter, as published images carry
        tall = round(height * 1.5)
        cv2.rectangle(ink, (int(x1), int(y2) - tall), (int(x1) + tall, int(y2)), 255, -1)
    if rng.random() < 0.25:
        text = str(rng.choice(["AP ERECT", "PORTABLE", "SUPINE", "PA", "MOBILE", "CHEST"]))
        place = (int(x1 + rng.uniform(0.05, 0.7) * (x2 - x1)), int(y1 + 0.04 * (y2 - y1) + 6))
        cv2.putText(ink, text, place, cv2.FONT_HERSHEY_SIMPLEX, size * 0.5, 255, 1, cv2.LINE_AA)
    image += ink.astype(np.float32) * np.float32(1 / 255) * (np.float32(grey) - image)
