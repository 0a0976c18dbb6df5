"""Networks of other code bases, rewritten with their parameter names, as sources of weights.

Written from what their repositories call their layers (see poselab/models/weights_of): attribute
names are theirs on purpose, so that ``state_dict`` has the keys and shapes of a published file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock, Bottleneck


def randomise(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics that keep outputs of every layer about as large as its inputs."""
    made = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            fan = module.weight[0].numel()
            module.weight.data.normal_(0, (1 / fan) ** 0.5, generator=made)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.1, generator=made)
        elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.weight.data.uniform_(0.5, 1, generator=made)
            module.bias.data.normal_(0, 0.1, generator=made)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=made)
            module.running_var.uniform_(0.5, 1.5, generator=made)
    return net.eval()


class Trunk(nn.Module):
    """ResNet without pooling and classifier."""

    def __init__(self) -> None:
        super().__init__()
        whole = torchvision.models.resnet50(weights=None)
        for name, child in whole.named_children():
            if name not in ("avgpool", "fc"):
                setattr(self, name, child)

    def forward(self, x: Tensor) -> Tensor:
        for child in Trunk.children(self):
            x = child(x)
        return x


def deconvolutions(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        deconvolution = nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)
        layers += [deconvolution, nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers)


class PoseResNet(nn.Module):
    """SimpleBaseline's; with ``bins`` (x, y) SimCC's on 256x192."""

    def __init__(self, bins: tuple[int, int] | None = None) -> None:
        super().__init__()
        for name, child in Trunk().named_children():
            setattr(self, name, child)
        self.trunk = list(self.children())
        self.deconv_layers = deconvolutions((2048, 256, 256, 256))
        self.final_layer = nn.Conv2d(256, 17, 1)
        self.bins = bins
        if bins:
            self.mlp_head_x = nn.Linear(64 * 48, bins[0])
            self.mlp_head_y = nn.Linear(64 * 48, bins[1])

    def forward(self, x: Tensor) -> Any:
        for child in self.trunk:
            x = child(x)
        heatmaps = self.final_layer(self.deconv_layers(x))
        flat = heatmaps.flatten(2)
        return (self.mlp_head_x(flat), self.mlp_head_y(flat)) if self.bins else heatmaps


class MmposeResNet(nn.Module):
    """mmpose's heatmaps on ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Trunk()
        self.head = nn.Module()
        self.head.deconv_layers = deconvolutions((2048, 256, 256, 256))
        self.head.final_layer = nn.Conv2d(256, 17, 1)

    def forward(self, x: Tensor) -> Tensor:
        heatmaps: Tensor = self.head.final_layer(self.head.deconv_layers(self.backbone(x)))
        return heatmaps


class Flow(nn.Module):
    """The flow of residual log-likelihood estimation: networks see both axes, one masked."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.tensor([[0.0, 1], [1, 0]] * 3))
        self.t = nn.ModuleList(self.network() for _ in range(6))
        self.s = nn.ModuleList(nn.Sequential(*self.network(), nn.Tanh()) for _ in range(6))

    @staticmethod
    def network() -> nn.Sequential:
        leaky = nn.LeakyReLU()
        return nn.Sequential(nn.Linear(2, 64), leaky, nn.Linear(64, 64), leaky, nn.Linear(64, 2))

    def log_density(self, points: Tensor) -> Tensor:
        z, volume = points, torch.zeros(len(points))
        for mask, scale, shift in reversed(list(zip(self.mask, self.s, self.t, strict=True))):
            s, t = (net(mask * z) * (1 - mask) for net in (scale, shift))
            z = mask * z + (1 - mask) * (z - t) * torch.exp(-s)
            volume = volume - s.sum(1)
        normal = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
        return normal.log_prob(z) + volume


class Rle(nn.Module):
    """RLE's own: positions read off the direction of the pooled feature."""

    def __init__(self) -> None:
        super().__init__()
        self.preact = Trunk()
        for name in ("fc_coord", "fc_sigma"):
            setattr(self, name, nn.Module())
            getattr(self, name).linear = nn.Linear(2048, 34)
        self.flow = Flow()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.preact(x).mean((-2, -1))
        xy = functional.linear(pooled, self.fc_coord.linear.weight)
        xy = xy / pooled.norm(dim=1, keepdim=True) + self.fc_coord.linear.bias
        sigma = self.fc_sigma.linear(pooled).sigmoid()
        return xy.reshape(-1, 17, 2), sigma.reshape(-1, 17, 2)


class MmposeRle(nn.Module):
    """mmpose's RLE: one layer of x, y from 0 to 1 and their deviations for each keypoint."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Trunk()
        self.head = nn.Module()
        self.head.fc = nn.Linear(2048, 68)
        self.head.loss_module = nn.Module()
        self.head.loss_module.flow_model = Flow()

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = self.head.fc(self.backbone(x).mean((-2, -1)))
        return values.reshape(-1, 17, 4)


class Fusion(nn.Module):
    """Parallel branches of four basic blocks, then every one the sum of all, resized."""

    def __init__(self, widths: Sequence[int], outputs: int, wider: int = 1) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(w, w) for _ in range(4))) for w in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_way(widths, j, i, wider) for j in range(len(widths)))
            for i in range(outputs)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        sums = [
            sum(way(x) for way, x in zip(row, features, strict=True)) for row in self.fuse_layers
        ]
        return [total.relu() for total in sums]


def _way(widths: Sequence[int], j: int, i: int, wider: int) -> nn.Module:
    """From branch j to branch i."""
    if j == i:
        width = widths[i]
        bare = nn.Sequential(nn.Conv2d(width, width * wider, 1, bias=False))
        return bare if wider > 1 else nn.Identity()
    if j > i:
        return nn.Sequential(
            nn.Conv2d(widths[j], widths[i] * wider, 1, bias=False),
            nn.BatchNorm2d(widths[i] * wider),
            nn.Upsample(scale_factor=2 ** (j - i)),
        )
    steps = [(widths[j], widths[i] if k == i - j - 1 else widths[j]) for k in range(i - j)]
    return nn.Sequential(*(_halved(*step, last=k == i - j - 1) for k, step in enumerate(steps)))


def _halved(inputs: int, outputs: int, last: bool = False) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([] if last else [nn.ReLU()]))


class PoseHRNet(nn.Module):
    """HRNet's pose network; ``wider`` 4 and three heatmaps per keypoint is UDP's."""

    def __init__(self, width: int = 32, heatmaps: int = 17, wider: int = 1) -> None:
        super().__init__()
        for number, inputs in ((1, 3), (2, 64)):
            setattr(self, f"conv{number}", nn.Conv2d(inputs, 64, 3, 2, 1, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm2d(64))
        project = nn.Sequential(nn.Conv2d(64, 256, 1, bias=False), nn.BatchNorm2d(256))
        first = Bottleneck(64, 64, downsample=project)
        self.layer1 = nn.Sequential(first, *(Bottleneck(256, 64) for _ in range(3)))
        widths = [width * 2**n for n in range(4)]
        plain = nn.Conv2d(256, width, 3, 1, 1, bias=False)
        self.transition1 = nn.ModuleList(
            [
                nn.Sequential(plain, nn.BatchNorm2d(width), nn.ReLU()),
                nn.Sequential(_halved(256, widths[1])),
            ]
        )
        for n, repeats in ((2, 1), (3, 4), (4, 3)):
            counts = [n] * repeats
            if n == 4:
                counts[-1] = 1
            fusions = [Fusion(widths[:n], count, wider if count == 1 else 1) for count in counts]
            setattr(self, f"stage{n}", nn.Sequential(*fusions))
        for n in (2, 3):
            added = nn.Sequential(_halved(widths[n - 1], widths[n]))
            setattr(self, f"transition{n}", nn.ModuleList([nn.Identity()] * n + [added]))
        self.final_layer = nn.Conv2d(width * wider, heatmaps, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer1(self.bn2(self.conv2(x)).relu())
        features = self.stage2([transition(x) for transition in self.transition1])
        for n in (2, 3):
            added = getattr(self, f"transition{n}")[-1](features[-1])
            features = getattr(self, f"stage{n + 1}")([*features, added])
        result: Tensor = self.final_layer(features[0])
        return result


class Block(nn.Module):
    """A layer of a plain transformer with ViTPose's names."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        parts = self.attn.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)
        x = x + self.attn.proj((weights @ value).transpose(1, 2).flatten(2))
        return x + self.mlp.fc2(functional.gelu(self.mlp.fc1(self.norm2(x))))


class VitPose(nn.Module):
    """ViTPose-S of the authors' repository: 12 heads, a position for an absent class token."""

    def __init__(self, simple: bool) -> None:
        super().__init__()
        self.simple, body = simple, nn.Module()
        body.pos_embed = nn.Parameter(0.3 * torch.randn(1, 193, 384))
        body.patch_embed = nn.Module()
        body.patch_embed.proj = nn.Conv2d(3, 384, 16, 16, 2)
        body.blocks = nn.Sequential(*(Block(384, 12) for _ in range(12)))
        body.last_norm = nn.LayerNorm(384, eps=1e-6)
        self.backbone, self.keypoint_head = body, nn.Module()
        if simple:
            self.keypoint_head.final_layer = nn.Conv2d(384, 17, 3, 1, 1)
        else:
            self.keypoint_head.deconv_layers = deconvolutions((384, 256, 256))
            self.keypoint_head.final_layer = nn.Conv2d(256, 17, 1)

    def forward(self, x: Tensor) -> Tensor:
        body, head = self.backbone, self.keypoint_head
        tokens = body.patch_embed.proj(x).flatten(2).mT
        tokens = body.blocks(tokens + body.pos_embed[:, 1:] + body.pos_embed[:, :1])
        grid = body.last_norm(tokens).mT.unflatten(-1, (16, 12))
        if self.simple:
            grid = functional.interpolate(grid.relu(), scale_factor=4, mode="bilinear")
        else:
            grid = head.deconv_layers(grid)
        heatmaps: Tensor = head.final_layer(grid)
        return heatmaps
