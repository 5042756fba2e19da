"""Which kernel serves a feature map, and how it is launched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from edge_retrieve.runtime.errors import BackendError

THREADS = 128  # kThreads of roi_align_mean.cu
_PLANAR_CHANNELS = 8  # kPlanarChannels of roi_align_mean.cu
_LARGEST_GRID_X = 2**31 - 1
_LARGEST_GRID_Y = 65_535


class Layout(Enum):
    """How a feature map lies in memory."""

    NCHW = "nchw"
    NHWC = "nhwc"


class Precision(Enum):
    """The element type of features and output; boxes are always float32."""

    FP32 = "f32"
    FP16 = "f16"

    @property
    def vector(self) -> int:
        """Elements in a load of 16 bytes."""
        return 4 if self is Precision.FP32 else 8


class Tactic(IntEnum):
    """Threads that read side by side: 2 to the power of the value, of the 128 in a block.

    Many lanes read long runs of channels (NHWC) or of cells (NCHW); few lanes waste less where those are
    few. Which wins depends on the card and the shapes, so TensorRT measures.
    """

    LANES_8 = 3
    LANES_16 = 4
    LANES_32 = 5

    @property
    def lanes(self) -> int:
        """Threads side by side."""
        return 1 << self.value


@dataclass(frozen=True)
class FeatureMap:
    """Shape and form of the features [B, C, h, w].

    Parameters
    ----------
    batch, channels, height, width : int
    layout : Layout
    precision : Precision
    stride : int
        Elements from one cell to the next in NHWC: the channels, rounded up where a format pads them.
    """

    batch: int
    channels: int
    height: int
    width: int
    layout: Layout
    precision: Precision
    stride: int

    @property
    def vectorised(self) -> bool:
        """Whether every cell starts at a multiple of 16 bytes, so that vector loads are allowed."""
        return self.layout is Layout.NHWC and self.stride % self.precision.vector == 0

    @property
    def kernel(self) -> str:
        """Name of the entry point in the compiled kernels."""
        vector = f"x{self.precision.vector}" if self.vectorised else ""
        return f"roi_mean_{self.layout.value}_{self.precision.value}{vector}"


@dataclass(frozen=True)
class Launch:
    """One launch, without the three pointers (features, boxes, output) that come first.

    Parameters
    ----------
    kernel : str
    grid : tuple of int
        Boxes of the whole batch, and tiles of channels.
    threads : int
    sizes : tuple of int
        Regions, channels, stride, height, width, log2 of the lanes: the 32-bit arguments in order.
    """

    kernel: str
    grid: tuple[int, int]
    threads: int
    sizes: tuple[int, int, int, int, int, int]


def plan_launch(features: FeatureMap, regions: int, tactic: Tactic) -> Launch | None:
    """Return the one launch that pools every box of a batch; None where there is no box.

    Parameters
    ----------
    features : FeatureMap
    regions : int
        Boxes of each image.
    tactic : Tactic

    Raises
    ------
    BackendError
        A size is not positive, or beyond what a launch can address.
    """
    if min(features.channels, features.height, features.width) < 1 or features.stride < features.channels:
        raise BackendError(f"features have no usable shape: {features}", where="plugin RoiAlignMean")
    boxes = features.batch * regions
    if boxes == 0:
        return None
    if features.layout is Layout.NHWC:
        tile = tactic.lanes * (features.precision.vector if features.vectorised else 1)
    else:
        tile = THREADS // tactic.lanes * _PLANAR_CHANNELS
    tiles = -(-features.channels // tile)
    if boxes > _LARGEST_GRID_X or tiles > _LARGEST_GRID_Y or features.height * features.width > 2**31 - 1:
        raise BackendError(
            f"{boxes} boxes on {features} are more than one launch can address",
            where="plugin RoiAlignMean",
            remedy="Use a smaller batch",
        )
    sizes = (regions, features.channels, features.stride, features.height, features.width, tactic.value)
    return Launch(features.kernel, (boxes, tiles), THREADS, sizes)


def padded_channels(channels: int, precision: Precision) -> int:
    """Return the stride of a cell in TensorRT's channels-last formats: HWC8 pads float16, HWC does not."""
    return -(-channels // 8) * 8 if precision is Precision.FP16 else channels
