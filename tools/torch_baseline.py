#!/usr/bin/env python3
"""Plain PyTorch at the work of `npm run bench`, under the same case names, to hold our times against on one card.

    python3 tools/torch_baseline.py --json torch.jsonl
    npm run bench -- --suite model --baseline torch.jsonl

A step is forward, flow-matching loss, backward and AdamW, in eager mode unless --compile is given; f32 means f32, without TF32.
The step `MNIST setting` is the reference's training step: an enhanced target (zeta .47), so a second forward pass of a teacher
that is an average of the weights, and an average to sample from. A step of another number of parameters than ours is refused. A
`decode` is one latent's picture by random weights. Every case is warmed for 1.2 s; then the median of 9 spans of at
least 20 ms, by events of the device. Prints a JSON line a case: ms, p10, p90 and forward_ms in milliseconds, peak_bytes of a step.
"""

import argparse
import itertools
import json
import math
import re
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from torch_unets import EDM2, UNetPlus

DEVICE = "cuda"
WARM_S = 1.2
SPAN_MS = 20.0
SAMPLES = 9
PAST_THE_CACHE = 256 * 2**20
TIME_FREQUENCIES = 256


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) over the last dimension, without a weight."""

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def modulate(x, shift, scale):
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


def sincos_positions(grid, width):
    """[grid * grid, width]: the first half of the width encodes the column, the second the row, each sines then cosines."""
    omega = 1e4 ** (-torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = torch.outer(torch.arange(grid, dtype=torch.float64), omega)
    axis = torch.cat([angles.sin(), angles.cos()], 1)  # [grid, width / 2]
    columns = axis.repeat(grid, 1)
    rows = axis.repeat_interleave(grid, 0)
    return torch.cat([columns, rows], 1).float()


def rotary_tables(grid, head_dim):
    """Cosines and sines [grid * grid, head_dim]: the first half turns by the row, the second by the column."""
    half = head_dim // 2
    frequencies = 1e4 ** (-torch.arange(0, half, 2, dtype=torch.float64) / half)
    axis = torch.outer(torch.arange(grid, dtype=torch.float64), frequencies).repeat_interleave(2, 1)  # [grid, half]
    angles = torch.cat([axis.repeat_interleave(grid, 0), axis.repeat(grid, 1)], 1)
    return angles.cos().float(), angles.sin().float()


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((-odd, even), -1).flatten(-2)
    return x * cos + turned * sin


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = RMSNorm()
        self.proj = nn.Linear(width, width)

    def forward(self, x, cos, sin):
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # [B, heads, N, head_dim] each
        q = rotate(self.norm(q), cos, sin).to(v.dtype)
        k = rotate(self.norm(k), cos, sin).to(v.dtype)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, width))


class SwiGLU(nn.Module):
    def __init__(self, width):
        super().__init__()
        hidden = int(2 / 3 * 4 * width)
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x):
        first, second = self.w12(x).chunk(2, -1)
        return self.w3(F.silu(first) * second)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = RMSNorm()
        self.attn = Attention(width, heads)
        self.norm2 = RMSNorm()
        self.mlp = SwiGLU(width)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x, c, cos, sin):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c).chunk(6, 1)
        x = x + gate1.unsqueeze(1) * self.attn(modulate(self.norm1(x), shift1, scale1), cos, sin)
        return x + gate2.unsqueeze(1) * self.mlp(modulate(self.norm2(x), shift2, scale2))


class TiT(nn.Module):
    """The diffusion transformer of UCGM: images [B, channels, size, size], times [B] and labels [B] to a velocity like the images."""

    def __init__(self, size, patch, channels, width, depth, heads, classes):
        super().__init__()
        grid = size // patch
        self.grid, self.patch, self.channels = grid, patch, channels
        self.embed = nn.Conv2d(channels, width, patch, patch)
        self.time = nn.Sequential(nn.Linear(TIME_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width)  # the last row is the null class
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = RMSNorm()
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.head = nn.Linear(width, patch * patch * channels)
        half = TIME_FREQUENCIES // 2
        cos, sin = rotary_tables(grid, width // heads)
        constants = {"cos": cos, "sin": sin, "positions": sincos_positions(grid, width)}
        constants["frequencies"] = torch.exp(-math.log(1e4) * torch.arange(half) / half)
        for name, value in constants.items():
            self.register_buffer(name, value)
        for linear in (m for m in self.modules() if isinstance(m, nn.Linear)):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.normal_(self.label.weight, std=0.02)
        for linear in [block.modulation[1] for block in self.blocks] + [self.modulation[1], self.head]:
            nn.init.zeros_(linear.weight)

    def forward(self, x, t, y):
        batch, grid, patch, channels = x.shape[0], self.grid, self.patch, self.channels
        angles = t.unsqueeze(1) * self.frequencies
        c = self.time(torch.cat([angles.cos(), angles.sin()], 1)) + self.label(y)  # [B, D]
        h = self.embed(x).flatten(2).transpose(1, 2) + self.positions  # [B, N, D]
        for block in self.blocks:
            h = block(h, c, self.cos, self.sin)
        shift, scale = self.modulation(c).chunk(2, 1)
        h = self.head(modulate(self.norm(h), shift, scale))  # [B, N, p p C]
        h = h.reshape(batch, grid, grid, patch, patch, channels).permute(0, 5, 1, 3, 2, 4)
        return h.reshape(batch, channels, grid * patch, grid * patch)


# name: network, (batch, channels, size) of its images, classes, learning rate, zeta, parameters that ours has
STEPS = {
    "step tiny preset": (lambda: TiT(28, 4, 1, 64, 4, 4, 10), (32, 1, 28), 10, 4e-3, 0, 330336),
    "step 28x28 w128 d6 b128": (lambda: TiT(28, 4, 1, 128, 6, 4, 10), (128, 1, 28), 10, 2e-4, 0, 1869324),
    "step MNIST setting": (lambda: TiT(32, 4, 1, 192, 6, 3, 10), (256, 1, 32), 10, 5e-4, 0.47, 4169104),
    "step TiT-S/2 b64": (lambda: TiT(32, 2, 4, 384, 12, 6, 1000), (64, 4, 32), 1000, 2e-4, 0, 32865040),
    "step TiT-B/2 b32": (lambda: TiT(32, 2, 4, 768, 12, 12, 1000), (32, 4, 32), 1000, 2e-4, 0, 130315792),
    "step TiT-XL/1 b16": (lambda: TiT(16, 1, 32, 1152, 28, 16, 1000), (16, 32, 16), 1000, 2e-4, 0, 674896160),
    "step EDM2-XS 64x64 b8": (lambda: EDM2(64, 4, 128, 1000), (8, 4, 64), 1000, 2e-4, 0, 124713125),
    "step EDM2-S 64x64 b8": (lambda: EDM2(64, 4, 192, 1000), (8, 4, 64), 1000, 2e-4, 0, 280212709),
    "step UNet+ 32x32 b32": (lambda: UNetPlus(32, 3, 128), (32, 3, 32), 1, 2e-4, 0, 55732739),
}


def time_work(work):
    """Median, 10th and 90th percentile of one call in milliseconds, warm."""

    def span(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / repeats

    started = time.perf_counter()
    calls = 0
    while calls < 3 or time.perf_counter() - started < WARM_S:
        work()
        calls += 1
        torch.cuda.synchronize()
    repeats = max(1, math.ceil(SPAN_MS / max(span(2), 1e-3)))
    times = sorted(span(repeats) for _ in range(SAMPLES))
    p10, ms, p90 = (times[int(share * SAMPLES)] for share in (0.1, 0.5, 0.9))
    return {"ms": ms, "p10": p10, "p90": p90}


def memory_format(options):
    return torch.channels_last if options.channels_last else torch.contiguous_format


def measure_step(name, options):
    make, (batch, channels, size), classes, learning_rate, zeta, expected = STEPS[name]
    torch.manual_seed(0)
    model = make().to(DEVICE, memory_format=memory_format(options))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if parameters != expected:
        raise ArithmeticError(f"{name}: {parameters} parameters, ours has {expected}")
    # Neither fused nor foreach is named: PyTorch takes foreach by itself, and one loop a tensor where fused=False is given.
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0)
    # Before the model is compiled: an average is a copy.
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999)) if zeta else None
    teacher = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999)) if zeta else None
    ready = torch.compile if options.compile else (lambda module: module)
    network = ready(model)
    teach = ready(teacher.module) if zeta else None
    x = torch.randn(batch, channels, size, size, device=DEVICE).contiguous(memory_format=memory_format(options))
    y = torch.randint(classes, (batch,), device=DEVICE)
    dropped = round(0.1 * batch) if zeta else 0
    if dropped:
        y[batch - dropped :] = classes
    null = torch.full_like(y, classes)
    tail = (torch.arange(batch, device=DEVICE) >= batch - dropped).view(-1, 1, 1, 1)

    def predict(net, noisy, t, labels):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=options.dtype == "bf16"):
            out = net(noisy, t, labels)
        return out.float()

    def draw():
        t = torch.rand(batch, device=DEVICE)
        z = torch.randn_like(x)
        s = t.view(-1, 1, 1, 1)
        return t, s, z, s * z + (1 - s) * x

    def enhanced(out, guess, s, z, noisy):
        """The target of a step with guidance from a teacher without labels."""
        inside = (s > 0) & (s < 0.75)

        def better(data, ours, other):
            guided = torch.where(inside, data + zeta * (ours - other), (data + ours) / 2)
            return torch.where(tail, (data + other) / 2, guided)

        data = better(x, noisy - s * out, noisy - s * guess)
        noise = better(z, noisy + (1 - s) * out, noisy + (1 - s) * guess)
        return noise - data

    def step():
        t, s, z, noisy = draw()
        optimizer.zero_grad(set_to_none=True)
        if not zeta:
            out = predict(network, noisy, t, y)
            loss = F.mse_loss(out, z - x)
        else:
            teacher.update_parameters(model)
            out = predict(network, noisy, t, y)
            with torch.no_grad():
                target = enhanced(out, predict(teach, noisy, t, null), s, z, noisy)
            per_sample = (out - target).pow(2).flatten(1).mean(1).sqrt()
            loss = (per_sample * torch.cos(1.57 * t)).mean()
        loss.backward()
        optimizer.step()
        if zeta:
            average.update_parameters(model)
        return loss

    def forward():
        t, _, _, noisy = draw()
        with torch.no_grad():
            return predict(network, noisy, t, y)

    result = time_work(step)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    loss = step().item()
    peak = torch.cuda.max_memory_allocated()
    if not math.isfinite(loss):
        raise ArithmeticError(f"{name}: the loss is {loss}")
    model.eval()  # without dropout, and weights stay as they are
    forward_ms = time_work(forward)["ms"]
    shape = [batch, channels, size, size]
    return {**result, "forward_ms": forward_ms, "peak_bytes": peak, "shape": shape, "parameters": parameters}


class ResBlock(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(32, width, eps=1e-6) for width in (into, out))
        self.conv1, self.conv2 = nn.Conv2d(into, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x):
        h = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return h + self.shortcut(x)


class PixelAttention(nn.Module):
    """One head over all pixels."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.qkv, self.proj = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x):
        q, k, v = (part.flatten(2).transpose(1, 2).unsqueeze(1) for part in self.qkv(self.norm(x)).chunk(3, 1))
        out = F.scaled_dot_product_attention(q, k, v)  # [B, 1, HW, C]
        return x + self.proj(out.squeeze(1).transpose(1, 2).reshape_as(x))


class Doubled(nn.Module):
    """Nearest doubling, then a convolution."""

    def __init__(self, width, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=bias)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def sd_vae_decoder():
    """SD-VAE's decoder: latents [B, 4, h, w] to pictures [B, 3, 8h, 8w]."""
    wide = 512
    parts = [nn.Conv2d(4, 4, 1), nn.Conv2d(4, wide, 3, padding=1), ResBlock(wide, wide), PixelAttention(wide), ResBlock(wide, wide)]
    for level, width in enumerate((512, 512, 256, 128)):
        for _ in range(3):
            parts.append(ResBlock(wide, width))
            wide = width
        if level < 3:
            parts.append(Doubled(width))
    return nn.Sequential(*parts, nn.GroupNorm(32, wide, eps=1e-6), nn.SiLU(), nn.Conv2d(wide, 3, 3, padding=1))


class TinyBlock(nn.Module):
    def __init__(self, pooled):
        super().__init__()
        convs = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
        pool = lambda: nn.Sequential(nn.Conv2d(64, 256, 1, bias=False), nn.GroupNorm(4, 256), nn.ReLU(), nn.Conv2d(256, 64, 1, bias=False))
        self.pool = pool() if pooled else None

    def forward(self, x):
        x = x + self.pool(x) if self.pool else x
        return F.relu(x + self.conv(x))


class Bend(nn.Module):
    def forward(self, x):
        return 3 * torch.tanh(x / 3)


def taef2_decoder():
    """taef2's decoder: latents [B, 32, h, w] to pictures [B, 3, 8h, 8w]."""
    blocks = lambda count, pooled=False: [TinyBlock(pooled) for _ in range(count)]
    first = [Bend(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), *blocks(3, True)]
    rest = [Doubled(64, False), *blocks(3), Doubled(64, False), *blocks(3), Doubled(64, False), *blocks(1)]
    return nn.Sequential(*first, *rest, nn.Conv2d(64, 3, 3, padding=1))


# name: decoder, latent channels, height and width of the latent
DECODES = {
    "taef2 decode 256": (taef2_decoder, 32, 32),
    "SD-VAE decode 256": (sd_vae_decoder, 4, 32),
    "SD-VAE decode 512": (sd_vae_decoder, 4, 64),
}


def measure_decode(name, options):
    make, channels, size = DECODES[name]
    torch.manual_seed(0)
    decoder = make().to(DEVICE, memory_format=memory_format(options)).eval()
    ready = torch.compile(decoder) if options.compile else decoder
    z = torch.randn(1, channels, size, size, device=DEVICE).contiguous(memory_format=memory_format(options))

    def decode():
        with torch.no_grad(), torch.autocast(DEVICE, torch.bfloat16, enabled=options.dtype == "bf16"):
            return ready(z)

    result = time_work(decode)
    torch.cuda.reset_peak_memory_stats()
    picture = decode()
    if not torch.isfinite(picture).all():
        raise ArithmeticError(f"{name}: the picture is not finite")
    return {**result, "peak_bytes": torch.cuda.max_memory_allocated(), "shape": list(z.shape)}


def turns(make):
    """Copies of a kernel's tensors that come to more than the caches hold, in turn, as the bench has them."""
    first = make()
    size = sum(tensor.numel() * tensor.element_size() for tensor in first)
    copies = [first] + [make() for _ in range(min(63, PAST_THE_CACHE // size))]
    return itertools.cycle(copies)


def product(layout, m, k, n, bias):
    def measure(dtype, ready):
        randn = lambda *shape: torch.randn(*shape, device=DEVICE, dtype=dtype)
        shapes = {"nn": ((m, k), (k, n)), "nt": ((m, k), (n, k)), "tn": ((k, m), (k, n))}[layout]
        tensors = turns(lambda: [randn(*shape) for shape in shapes] + ([randn(n)] if bias else []))
        if layout == "nt":
            work = ready(lambda a, b, *rest: F.linear(a, b, *rest))
        else:
            work = ready((lambda a, b: a @ b) if layout == "nn" else (lambda a, b: a.t() @ b))
        return {**time_work(lambda: work(*next(tensors))), "flops": 2 * m * k * n, "shape": [1, m, k, n]}

    return measure


def attention(batch, heads, tokens, head_dim, backward):
    def measure(dtype, ready):
        shape = (batch, heads, tokens, head_dim)
        randn = lambda: torch.randn(shape, device=DEVICE, dtype=dtype)
        attend = ready(lambda q, k, v: F.scaled_dot_product_attention(q, k, v))
        flops = (10 if backward else 4) * batch * heads * tokens * tokens * head_dim
        if not backward:
            tensors = turns(lambda: [randn() for _ in range(3)])
            with torch.no_grad():
                return {**time_work(lambda: attend(*next(tensors))), "flops": flops, "shape": list(shape)}

        def recorded():
            q, k, v = (randn().requires_grad_() for _ in range(3))
            return [q, k, v, attend(q, k, v), randn()]

        tensors = turns(recorded)

        def work():
            q, k, v, out, dout = next(tensors)
            return torch.autograd.grad(out, (q, k, v), dout, retain_graph=True)

        return {**time_work(work), "flops": flops, "shape": list(shape)}

    return measure


def norm_modulate(rows, cols, each):
    def measure(dtype, ready):
        randn = lambda *shape: torch.randn(*shape, device=DEVICE, dtype=dtype)
        batch = rows // each
        tensors = turns(lambda: [randn(batch, each, cols), randn(batch, cols), randn(batch, cols)])
        work = ready(lambda x, shift, scale: modulate(F.layer_norm(x, (cols,), eps=1e-6), shift, scale))
        return {**time_work(lambda: work(*next(tensors))), "bytes": rows * cols * 8, "shape": [rows, cols]}

    return measure


def convolution(batch, size, into, out, side=3, groups=1):
    def measure(dtype, ready):
        randn = lambda *shape: torch.randn(*shape, device=DEVICE, dtype=dtype).to(memory_format=torch.channels_last)
        tensors = turns(lambda: [randn(batch, into, size, size), randn(out, into // groups, side, side)])
        work = ready(lambda x, weight: F.conv2d(x, weight, padding=side // 2, groups=groups))
        flops = 2 * batch * size * size * out * side * side * into // groups
        with torch.no_grad():
            return {**time_work(lambda: work(*next(tensors))), "flops": flops, "shape": [batch, size, size, into, out]}

    return measure


# EDM2-S, UNet+, SD-VAE's decoder, and DC-AE's depth-wise convolution: images [B, H, W, C]
CONVOLUTIONS = """
3x3/1 pad 1111 of 16x64x64x192 to 192
3x3/1 pad 1111 of 16x32x32x384 to 384
3x3/1 pad 1111 of 16x16x16x576 to 576
3x3/1 pad 1111 of 16x8x8x768 to 768
3x3/1 pad 1111 of 16x32x32x960 to 384
3x3/1 pad 1111 of 64x32x32x256 to 256
3x3/1 pad 1111 of 64x16x16x512 to 256
3x3/1 pad 1111 of 64x8x8x256 to 256
3x3/1 pad 1111 of 16x64x64x5 to 192
3x3/1 pad 1111 of 16x64x64x192 to 4
3x3/1 pad 1111 of 1x32x32x512 to 512
3x3/1 pad 1111 of 1x64x64x512 to 512
3x3/1 pad 1111 of 1x128x128x512 to 256
3x3/1 pad 1111 of 1x256x256x256 to 128
3x3/1 pad 1111 of 1x256x256x128 to 3
3x3/1 pad 1111 of 1x16x16x8192 to 8192 in 8192 groups
""".strip().splitlines()

ATTENTION = [(16, 16, 256, 72), (32, 6, 256, 64)]
BACKWARD = ["attentionDelta", "attentionBackwardStored", "attentionBackwardStoredQ"]

# name: how it is measured, and which cases of the bench together do the same work, where that is not the one of the name
KERNELS = {
    "matmul nt 4096x4096x4096": (product("nt", 4096, 4096, 4096, False), None),
    "matmul nn 4096x4096x4096": (product("nn", 4096, 4096, 4096, False), None),
    "matmul tn 4096x4096x4096": (product("tn", 4096, 4096, 4096, False), None),
    "matmul nt+bias 8192x384x1536": (product("nt", 8192, 384, 1536, True), None),
    "matmul nn 8192x1536x384": (product("nn", 8192, 1536, 384, False), None),
    "matmul tn 1536x8192x384": (product("tn", 1536, 8192, 384, False), None),
    "matmul nt+bias 4096x1152x4608": (product("nt", 4096, 1152, 4608, True), None),
    "norm layer+scale+shift+stats+aligned 8192x1152/256": (norm_modulate(8192, 1152, 256), None),
}
for text in CONVOLUTIONS:
    batch, size, _, into, out, *groups = map(int, re.findall(r"\d+", text.split(" of ")[1]))
    KERNELS[f"conv2d {text}"] = (convolution(batch, size, into, out, groups=groups[0] if groups else 1), None)
for at in ATTENTION:
    label = "x".join(map(str, at))
    KERNELS[f"attention {label}"] = (attention(*at, backward=False), None)
    KERNELS[f"attention backward {label}"] = (attention(*at, backward=True), [f"{kernel} {label}" for kernel in BACKWARD])


def measure(name, options):
    if name in STEPS:
        return measure_step(name, options)
    if name in DECODES:
        return measure_decode(name, options)
    work, ours = KERNELS[name]
    dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
    ready = torch.compile if options.compile else (lambda function: function)
    return {**work(dtype, ready), **({"ours": ours} if ours else {})}


def pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text} is no regular expression: {error}") from None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", type=pattern, default=re.compile(""), help="only cases whose name matches, a regular expression")
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w"), help="write the lines to a file too")
    parser.add_argument("--dtype", choices=["f32", "tf32", "bf16"], default="f32", help="bf16 is autocast in steps")
    parser.add_argument("--compile", action="store_true", help="torch.compile instead of eager mode")
    parser.add_argument("--channels-last", action="store_true", help="steps and decoders with channels last in memory")
    options = parser.parse_args()
    names = [name for name in (*STEPS, *DECODES, *KERNELS) if options.filter.search(name)]
    if not names:
        parser.error(f"no case matches; there are: {', '.join((*STEPS, *DECODES, *KERNELS))}")
    if not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device")
    torch.backends.cuda.matmul.allow_tf32 = options.dtype == "tf32"
    torch.backends.cudnn.allow_tf32 = options.dtype == "tf32"
    mode = ("compiled" if options.compile else "eager") + (", channels last" if options.channels_last else "")
    common = {"suite": "torch", "torch": torch.__version__, "device": torch.cuda.get_device_name(), "variant": mode}
    failed = 0
    for name in names:
        try:
            result = measure(name, options)
        except (RuntimeError, ArithmeticError) as error:  # out of memory among them
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        finally:
            torch.compiler.reset()  # else a second case's sizes compile as unknown ones
            torch.cuda.empty_cache()
        if "flops" in result:
            result["tflops"] = result["flops"] / result["ms"] / 1e9
        if options.dtype == "bf16" and name.startswith("step ") and "ours" not in result:
            result = {**result, "ours": [f"{name} mixed"]}
        line = json.dumps({**common, "case": name, "dtype": options.dtype, **result})
        print(line, flush=True)
        if options.json:
            print(line, file=options.json, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
