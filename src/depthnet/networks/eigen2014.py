"""``eigen2014``: the two stacks of Eigen, Puhrsch and Fergus, "Depth Map Prediction from a Single Image using a
Multi-Scale Deep Network" (NIPS 2014), as their released configuration has them.

A coarse stack sees the whole picture and ends in two fully connected layers; a fine stack sees the picture again,
takes the coarse map as one more channel and refines it. The paper prints 2x2 pools; its map sizes (37x27, 18x13, 8x6)
follow from the release's 3x3 pools of stride 2 and from padding its strided convolutions as cuda-convnet did.
70 757 734 parameters in the coarse stack, 119 437 in the fine one, 2.2 G multiply-adds at 228x304.

The fully connected layers fix the network's own input size (228x304 for NYU Depth v2, 172x576 for KITTI) and its map
(55x74, 27x142). Any picture goes in all the same: it is stretched to the own size first, and the map is brought to the
picture's size last. Both are exact copies at the own size, and mild from the sizes that prediction and training choose.

Where the map lies: cell (i, j) is a sample at input pixel (5 + 4i, 5 + 4j), which is both where the release takes its
targets ([1::4, 1::4] of the input less 4 pixels a side) and the centre of what the fine stack's pooled features see.
On the 320x240 picture whose centre crop the release feeds, that region is [10:230, 12:308]; the pixels around it get
the nearest cell's depth.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from depthnet.errors import ConfigError
from depthnet.networks.blocks import DepthNetwork, resize_to

NYU_SIZE = (228, 304)
SMALLEST = 64  # pixels a side: the third pool needs three pixels
CELL = 4  # input pixels from one cell of the map to the next
#: The release's statistics of NYU pixels (0..255) and of ln(depth in metres).
COARSE_MEAN, FINE_MEAN, FINE_STD = 128.0, 109.31410628, 76.18328376
LOG_DEPTH_MEAN, LOG_DEPTH_STD = 0.82473954, 0.45723134
#: Brings the features of the convolutions, made for pixels of 0..255, near 1.
FEATURE_SCALE = 0.01
KEPT = 0.5  # of the units of coarse 6 in training

Size = tuple[int, int]


def compatible_padding(pixels: int, kernel: int, stride: int) -> int:
    """Zeros at both ends with which a strided convolution goes one step past the last whole one, if pixels are left.

    cuda-convnet went past the end; the release emulates it by ceil((ceil((n - k) / s) s + k - n) / 2) a side.
    """
    steps = math.ceil((pixels - kernel) / stride)
    return math.ceil((steps * stride + kernel - pixels) / 2)


def _strided(inputs: int, outputs: int, kernel: int, stride: int, size: Size) -> nn.Conv2d:
    padding = (compatible_padding(size[0], kernel, stride), compatible_padding(size[1], kernel, stride))
    return nn.Conv2d(inputs, outputs, kernel, stride, padding)


def _strided_size(size: Size, kernel: int, stride: int) -> Size:
    height, width = (math.ceil((pixels - kernel) / stride) + 1 for pixels in size)
    return height, width


def _pooled_size(size: Size) -> Size:
    return (size[0] - 1) // 2, (size[1] - 1) // 2


class CoarseEncoder(nn.Module):
    """Coarse 1 to 5: AlexNet's convolutions, each pool before its ReLU and the norm across channels after it.

    The norm is AlexNet's: x / (2 + 1e-4 Σ x²)^0.75 over five channels (PyTorch's alpha is five times that).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.conv_1 = _strided(3, 96, 11, 4, size)
        self.conv_2 = nn.Conv2d(96, 256, 5, padding=2)
        self.conv_3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv_4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv_5 = nn.Conv2d(384, 256, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 2)
        self.norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
        last = _pooled_size(_pooled_size(_pooled_size(_strided_size(size, 11, 4))))
        self.outputs = 256 * last[0] * last[1]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x_1 = self.norm(F.relu(self.pool(self.conv_1(x))))
        x_2 = self.norm(F.relu(self.pool(self.conv_2(x_1))))
        x_3 = F.relu(self.conv_3(x_2))
        x_4 = F.relu(self.conv_4(x_3))
        x_5 = F.relu(self.pool(self.conv_5(x_4)))
        return dict(zip((f"encoder_conv{layer}" for layer in range(1, 6)), (x_1, x_2, x_3, x_4, x_5)))


class Eigen2014Depth(DepthNetwork):
    """Coarse and fine stack, layer by layer.

    The original trains the coarse stack first, then the fine one on top of it, fixed. Weights have the same names in
    every stage, so the second run starts from the first (``--init``); see the recipes eigen2014-coarse and
    eigen2014-fine.

    The original starts the five convolutions from ImageNet weights, which are not at hand; its own values for them,
    N(0, 0.01), leave features a hundred times too small to learn from. They start by He et al. 2015 instead, which
    keeps the range of the pixels; all other layers start as the release says, and the last biases at the mean.

    Args:
        stage: ``coarse`` trains and returns the coarse map alone. ``fine`` trains the fine stack; the coarse one stays
            as it is, without dropout. ``joint`` trains both at once, as the authors' network of 2015 does.
        input_size: height and width of the network's own input; (172, 576) for KITTI.
        bottom_rows: input rows, from the bottom, that the fine stack sees and the map covers; all by default. 116 for
            KITTI, whose laser sees nothing above: what lies above gets the depth of the first row of the map.
        full_width: units of coarse 6. The original's 4096 hold 95 % of all parameters; a smaller number is a variant
            for small machines.
        upsampling: from map to own input size: ``bilinear`` between the samples, or ``nearest``, each cell copied to
            its 4x4 pixels, as the paper evaluates. Other sizes are always reached bilinearly from there.
        log_depth_mean: mean of ln(depth in metres) over the training data; start value of the output.
        log_depth_std: its standard deviation, the unit of the last layers.

    Raises:
        ConfigError: if an option has no such value.
    """

    def __init__(
        self,
        stage: str = "joint",
        input_size: Size = NYU_SIZE,
        bottom_rows: int | None = None,
        full_width: int = 4096,
        upsampling: str = "bilinear",
        log_depth_mean: float = LOG_DEPTH_MEAN,
        log_depth_std: float = LOG_DEPTH_STD,
    ) -> None:
        super().__init__(mean=(COARSE_MEAN / 255,) * 3, std=(1 / 255,) * 3)
        _check(stage, input_size, bottom_rows, full_width, upsampling, log_depth_std)
        self.stage, self.upsampling, self.log_depth_std = stage, upsampling, log_depth_std
        self.input_size = input_size[0], input_size[1]  # a list, from YAML
        seen = bottom_rows or input_size[0], input_size[1]
        self.first_row = input_size[0] - seen[0]
        #: Height and width of the map.
        self.map_size = _pooled_size(_strided_size(seen, 9, 2))
        self.encoder = CoarseEncoder(self.input_size)
        self.coarse_6 = nn.Linear(self.encoder.outputs, full_width)
        self.coarse_7 = nn.Linear(full_width, self.map_size[0] * self.map_size[1])
        self.fine_1 = _strided(3, 63, 9, 2, seen)
        self.pool = nn.MaxPool2d(3, 2)
        self.fine_2 = nn.Conv2d(64, 64, 5, padding=2)
        self.fine_3 = nn.Conv2d(64, 1, 5, padding=2)
        channels = {
            "encoder_conv1": 96, "encoder_conv2": 256, "encoder_conv3": 384, "encoder_conv4": 384, "encoder_conv5": 256,
            "encoder_fine1": 63, "decoder_full6": full_width, "decoder_coarse7": 1, "decoder_fine2": 64,
            "decoder_fine3": 1, "log_depth": 1,
        }  # fmt: skip
        self.feature_channels = {name: c for name, c in channels.items() if stage != "coarse" or "_fine" not in name}
        self._initialise(log_depth_mean / log_depth_std)
        frozen = {"joint": (), "coarse": ("fine_1", "fine_2", "fine_3"), "fine": ("encoder", "full")}[stage]
        for group in frozen:
            for parameter in self.parameter_groups()[group]:
                parameter.requires_grad_(False)

    def _initialise(self, mean: float) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for module in self.encoder.children():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        # 0.01 N and 0.01 (U - 0.5) for the original's inputs; as much signal for any other number of them.
        nn.init.normal_(self.coarse_6.weight, std=0.01 * math.sqrt(12288 / self.coarse_6.in_features))
        bound = 0.005 * math.sqrt(4096 / self.coarse_7.in_features)
        nn.init.uniform_(self.coarse_7.weight, -bound, bound)
        nn.init.normal_(self.fine_1.weight, std=0.001)
        for last in (self.fine_2, self.fine_3):
            nn.init.normal_(last.weight, std=0.01)
        for output in (self.coarse_7, self.fine_3):
            assert output.bias is not None
            nn.init.constant_(output.bias, mean)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters in the groups to which the original gives learning rates of their own."""
        groups: dict[str, tuple[nn.Module, ...]] = {
            "encoder": (self.encoder,), "full": (self.coarse_6, self.coarse_7),
            "fine_1": (self.fine_1,), "fine_2": (self.fine_2,), "fine_3": (self.fine_3,),
        }  # fmt: skip
        return {name: [p for module in modules for p in module.parameters()] for name, modules in groups.items()}

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        x = resize_to(self.normalise(image), self.input_size)
        features: dict[str, Tensor] = self.encoder(x)
        if self.stage != "coarse":
            x = (x[:, :, self.first_row :] + (COARSE_MEAN - FINE_MEAN)) / FINE_STD
            features["encoder_fine1"] = self.pool(F.relu(self.fine_1(x)))
        return features

    def decode(self, features: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        x = F.relu(self.coarse_6(FEATURE_SCALE * features["encoder_conv5"].flatten(1)))
        # The release leaves units out in training and halves them all at test.
        x = KEPT * F.dropout(x, 1 - KEPT, training=self.training and self.stage != "fine")
        last = self.coarse_7(x).reshape(-1, 1, *self.map_size)
        decoded = {"decoder_full6": x[:, :, None, None], "decoder_coarse7": last}
        if self.stage != "coarse":
            x = F.relu(self.fine_2(torch.cat([last, features["encoder_fine1"]], 1)))
            last = self.fine_3(x)
            decoded |= {"decoder_fine2": x, "decoder_fine3": last}
        decoded["log_depth"] = resize_to(self._to_input(last * self.log_depth_std), size)
        return decoded

    def _to_input(self, cells: Tensor) -> Tensor:
        """The map (B, 1, h, w) at the network's own input size, its edges repeated outwards."""
        padding = self.fine_1.padding
        assert isinstance(padding, tuple)
        # Cell 0 pools outputs 0 to 2 of fine 1, and output 1 is centred on pixel 2 + 4 of its padded input.
        top, left = self.first_row + 6 - padding[0], 6 - padding[1]
        if self.upsampling == "nearest":
            height, width = (CELL * n for n in self.map_size)
            x = F.interpolate(cells, size=(height, width), mode="nearest")
            top, left = top - 1, left - 1
        else:
            height, width = (CELL * (n - 1) + 1 for n in self.map_size)
            # With aligned corners a sample stays a pixel: cell (i, j) is (4i, 4j) here.
            x = F.interpolate(cells, size=(height, width), mode="bilinear", align_corners=True)
        bottom, right = self.input_size[0] - top - height, self.input_size[1] - left - width
        return F.pad(x, (left, right, top, bottom), mode="replicate")


def _check(
    stage: str, input_size: Size, bottom_rows: int | None, full_width: int, upsampling: str, log_depth_std: float
) -> None:
    for option, word, words in (
        ("stage", stage, ("joint", "coarse", "fine")),
        ("upsampling", upsampling, ("bilinear", "nearest")),
    ):
        if word not in words:
            raise ConfigError(f"{option} {word!r} is unknown; choose among: {', '.join(words)}.")
    if len(input_size) != 2 or min(input_size) < SMALLEST:
        raise ConfigError(
            f"input_size {tuple(input_size)}: eigen2014 needs a height and a width of {SMALLEST} or more; "
            "for example (228, 304) for NYU or (172, 576) for KITTI."
        )
    if bottom_rows is not None and not SMALLEST // 4 <= bottom_rows <= input_size[0]:
        raise ConfigError(
            f"bottom_rows {bottom_rows}: must be {SMALLEST // 4} to {input_size[0]}, the rows of input_size; "
            "leave it out for all."
        )
    if full_width < 1:
        raise ConfigError(f"full_width {full_width}: must be 1 or more; the original has 4096.")
    if not log_depth_std > 0:
        raise ConfigError(f"log_depth_std {log_depth_std}: must be positive; NYU's is {LOG_DEPTH_STD}.")
