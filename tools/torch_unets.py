"""EDM2 and UNet+ in plain PyTorch, the networks of src/models/edm2.ts and unetplus.ts with their default options, to time against ours.

Images [B, channels, size, size], times [B] and labels [B] to a velocity like the images. Initial weights are PyTorch's own but where
the network depends on them: they do not change times.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

TIME_SLOPE, TIME_SHIFT = 2.68, -1.59  # what both see of the time: ln(sigma) / 4 of EDM
HALF = math.sqrt(0.5)


def resized(x, to):
    """Halved by the mean of 2 x 2, doubled by the nearest, or as it is."""
    if to == "down":
        return F.avg_pool2d(x, 2)
    return F.interpolate(x, scale_factor=2.0, mode="nearest") if to == "up" else x


def over_rms(x, dims):
    """x / (1e-4 + its root mean square over some dimensions)."""
    count = math.prod(x.shape[dim] for dim in dims)
    size = torch.linalg.vector_norm(x, dim=dims, keepdim=True, dtype=torch.float32)
    return x / (1e-4 + size / math.sqrt(count)).to(x.dtype)


def pixel_attention(qkv, heads, norm):
    """Attention over the pixels of [B, 3C, H, W], of which q, k and v of a channel are neighbours: [B, C, H, W]."""
    batch, channels, height, width = qkv.shape
    parts = qkv.reshape(batch, heads, channels // (3 * heads), 3, height * width)
    if norm:
        parts = over_rms(parts, (2,))
    q, k, v = parts.permute(3, 0, 1, 4, 2).contiguous().unbind(0)  # [B, heads, N, d] each
    out = F.scaled_dot_product_attention(q, k, v)
    return out.transpose(2, 3).reshape(batch, channels // 3, height, width)


class NormedMap(nn.Module):
    """A convolution, or with side 0 a linear map, by rows of unit magnitude; in training the weight itself becomes such."""

    def __init__(self, into, out, side=0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, *((side, side) if side else ())))

    def forward(self, x, gain=1.0):
        rows = tuple(range(1, self.weight.dim()))
        if self.training:
            with torch.no_grad():
                self.weight.copy_(over_rms(self.weight, rows))
        weight = over_rms(self.weight, rows) * (gain / math.sqrt(self.weight[0].numel()))
        return F.conv2d(x, weight, padding=weight.shape[2] // 2) if len(rows) > 1 else F.linear(x, weight)


def silu_of_unit(x):
    return F.silu(x) / 0.596


def unit_sum(a, b, share):
    return torch.lerp(a, b.to(a.dtype), share) / math.hypot(1 - share, share)


def unit_cat(a, b):
    """a and b side by side, in equal shares of the magnitude."""
    of_a, of_b = a.shape[1], b.shape[1]
    size = math.sqrt((of_a + of_b) / 2)
    return torch.cat([a * (size / math.sqrt(of_a)), b * (size / math.sqrt(of_b))], 1)


class EDM2Block(nn.Module):
    def __init__(self, into, out, embedded, encodes, attends=False, to=None, joined=False):
        super().__init__()
        self.encodes, self.to, self.joined = encodes, to, joined
        self.heads = out // 64 if attends else 0
        self.emb_gain = nn.Parameter(torch.zeros(()))
        self.conv_res0 = NormedMap(out if encodes else into, out, 3)
        self.emb_linear = NormedMap(embedded, out)
        self.conv_res1 = NormedMap(out, out, 3)
        self.conv_skip = NormedMap(into, out, 1) if into != out else nn.Identity()
        if self.heads:
            self.qkv, self.proj = NormedMap(out, 3 * out, 1), NormedMap(out, out, 1)

    def forward(self, x, e):
        x = resized(x, self.to)
        if self.encodes:
            x = over_rms(self.conv_skip(x), (1,))
        scale = 1 + self.emb_linear(e, self.emb_gain)  # [B, C]
        h = silu_of_unit(self.conv_res0(silu_of_unit(x)) * scale[:, :, None, None])
        h = self.conv_res1(h)
        if not self.encodes:
            x = self.conv_skip(x)
        x = unit_sum(x, h, 0.3)
        if self.heads:
            x = unit_sum(x, self.proj(pixel_attention(self.qkv(x), self.heads, norm=True)), 0.3)
        return x.clamp(-256, 256)


class EDM2(nn.Module):
    """The magnitude-preserving U-net, conditional, of four levels of 1, 2, 3 and 4 times `width` channels."""

    def __init__(self, size, channels, width, classes):
        super().__init__()
        self.classes = classes
        widths, blocks, attended = [width * mult for mult in (1, 2, 3, 4)], 3, (16, 8)
        embedded = widths[-1]
        self.register_buffer("freqs", 2 * math.pi * torch.randn(width))
        self.register_buffer("phases", 2 * math.pi * torch.rand(width))
        self.emb_noise, self.emb_label = NormedMap(width, embedded), NormedMap(classes, embedded)
        self.first = NormedMap(channels + 1, width, 3)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        into, skips = width, [width]
        for level, out in enumerate(widths):
            if level > 0:
                self.encoder.append(EDM2Block(into, into, embedded, True, to="down"))
                skips.append(into)
            for _ in range(blocks):
                self.encoder.append(EDM2Block(into, out, embedded, True, size >> level in attended))
                into = out
                skips.append(out)
        for level, out in reversed(list(enumerate(widths))):
            if level == len(widths) - 1:
                self.decoder.append(EDM2Block(into, into, embedded, False, True))
                self.decoder.append(EDM2Block(into, into, embedded, False))
            else:
                self.decoder.append(EDM2Block(into, into, embedded, False, to="up"))
            for _ in range(blocks + 1):
                wide = into + skips.pop()
                self.decoder.append(EDM2Block(wide, out, embedded, False, size >> level in attended, joined=True))
                into = out
        self.last = NormedMap(into, channels, 3)
        self.out_gain = nn.Parameter(torch.zeros(()))

    def forward(self, x, t, y):
        u = TIME_SLOPE * t + TIME_SHIFT
        e = self.emb_noise(math.sqrt(2) * torch.cos(torch.outer(u, self.freqs) + self.phases))  # [B, E]
        labels = F.one_hot(y, self.classes + 1)[:, :-1].to(x.dtype)  # the null label has none
        with_label = unit_sum(e, self.emb_label(math.sqrt(self.classes) * labels), 0.5)
        e = silu_of_unit(torch.where((y < self.classes).unsqueeze(1), with_label, e))
        x = self.first(torch.cat([x, torch.ones_like(x[:, :1])], 1))
        skips = [x]
        for block in self.encoder:
            x = block(x, e)
            skips.append(x)
        for block in self.decoder:
            x = block(unit_cat(x, skips.pop()) if block.joined else x, e)
        return self.last(x, self.out_gain)


def group_norm(width):
    return nn.GroupNorm(min(32, width // 4), width, eps=1e-6)


class PlusBlock(nn.Module):
    def __init__(self, into, out, embedded, attends=False, to=None, joined=False):
        super().__init__()
        self.to, self.joined = to, joined
        self.norm0, self.conv0 = group_norm(into), nn.Conv2d(into, out, 3, padding=1)
        self.affine = nn.Linear(embedded, out)
        self.norm1, self.conv1 = group_norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(into, out, 1) if into != out or to else nn.Identity()
        self.dropout = nn.Dropout(0.2)
        self.norm2 = group_norm(out) if attends else None
        if attends:
            self.qkv, self.proj = nn.Conv2d(out, 3 * out, 1), nn.Conv2d(out, out, 1)

    def forward(self, x, e):
        h = self.conv0(resized(F.silu(self.norm0(x)), self.to))
        h = F.silu(self.norm1(h + self.affine(e)[:, :, None, None]))
        h = self.conv1(self.dropout(h))
        x = (h + self.skip(resized(x, self.to))) * HALF
        if self.norm2 is None:
            return x
        return (x + self.proj(pixel_attention(self.qkv(self.norm2(x)), 1, norm=False))) * HALF


class UNetPlus(nn.Module):
    """DDPM++ without labels: three levels of 2 `width` channels, attention at 16 x 16."""

    def __init__(self, size, channels, width):
        super().__init__()
        widths, blocks, attended = [2 * width] * 3, 4, (16,)
        embedded = 4 * width
        self.register_buffer("freqs", 1e4 ** (-torch.arange(width // 2) / (width // 2 - 1)))
        self.map0, self.map1 = nn.Linear(width, embedded), nn.Linear(embedded, embedded)
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        into, skips = width, [width]
        for level, out in enumerate(widths):
            if level > 0:
                self.encoder.append(PlusBlock(into, into, embedded, to="down"))
                skips.append(into)
            for _ in range(blocks):
                self.encoder.append(PlusBlock(into, out, embedded, size >> level in attended))
                into = out
                skips.append(out)
        for level, out in reversed(list(enumerate(widths))):
            if level == len(widths) - 1:
                self.decoder.append(PlusBlock(into, into, embedded, True))
                self.decoder.append(PlusBlock(into, into, embedded))
            else:
                self.decoder.append(PlusBlock(into, into, embedded, to="up"))
            for i in range(blocks + 1):
                wide = into + skips.pop()
                attends = i == blocks and size >> level in attended
                self.decoder.append(PlusBlock(wide, out, embedded, attends, joined=True))
                into = out
        self.norm, self.last = group_norm(into), nn.Conv2d(into, channels, 3, padding=1)

    def forward(self, x, t, _labels):
        angles = torch.outer(TIME_SLOPE * t + TIME_SHIFT, self.freqs)
        e = F.silu(self.map0(torch.cat([angles.sin(), angles.cos()], 1)))
        e = F.silu(self.map1(e))  # [B, E]
        x = self.first(x)
        skips = [x]
        for block in self.encoder:
            x = block(x, e)
            skips.append(x)
        for block in self.decoder:
            x = block(torch.cat([x, skips.pop()], 1) if block.joined else x, e)
        return self.last(F.silu(self.norm(x)))
