#!/usr/bin/python3
"""torch_infer.py ARCH BATCH single|half [PX]: images a second of a ResNet in PyTorch as one would serve it on a CPU:
batch norm folded and layers fused by jit.freeze and optimize_for_inference; half is bf16 autocast, channels last. With
single the faster of both layouts counts. Random weights; pictures are floats in memory already."""
import os
import sys
import time

try:
    import torch
    from torch import nn
except ImportError as e:
    sys.exit((print(f"no PyTorch in Debian's Python: {e}", file=sys.stderr), 77)[1])

ARCHS = {"resnet18": (1, [2, 2, 2, 2]), "resnet34": (1, [3, 4, 6, 3]), "resnet50": (4, [3, 4, 6, 3])}


class Block(nn.Module):
    def __init__(self, c_in, width, stride, expansion):
        super().__init__()
        c_out = width * expansion

        def conv(a, b, kernel, step):
            return [nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(b)]

        if expansion == 1:
            layers = [*conv(c_in, width, 3, stride), nn.ReLU(True), *conv(width, width, 3, 1)]
        else:
            layers = [*conv(c_in, width, 1, 1), nn.ReLU(True), *conv(width, width, 3, stride), nn.ReLU(True),
                      *conv(width, c_out, 1, 1)]
        self.body = nn.Sequential(*layers)
        change = stride != 1 or c_in != c_out
        self.skip = nn.Sequential(*conv(c_in, c_out, 1, stride)) if change else nn.Identity()
        self.relu = nn.ReLU(True)

    def forward(self, x):
        return self.relu(self.body(x) + self.skip(x))


def resnet(arch, n_classes=1000):
    expansion, depths = ARCHS[arch]
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    c = 64
    for stage, depth in enumerate(depths):
        for i in range(depth):
            width = 64 << stage
            layers.append(Block(c, width, 2 if stage and not i else 1, expansion))
            c = width * expansion
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, n_classes))


def rate(net, x, half):
    context = torch.autocast("cpu", torch.bfloat16, cache_enabled=False)
    with torch.no_grad():
        if half:
            with context:
                f = torch.jit.freeze(torch.jit.trace(net, x))
        else:
            f = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
        for _ in range(3):
            f(x)
        times = []
        until = time.perf_counter() + 1.5
        while time.perf_counter() < until or len(times) < 5:
            start = time.perf_counter()
            f(x)
            times.append(time.perf_counter() - start)
    return len(x) / sorted(times)[len(times) // 2]


def main():
    arch, batch, half = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "half"
    px = int(sys.argv[4]) if len(sys.argv) > 4 else 224
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # its own default here is one
    torch.manual_seed(1)
    net = resnet(arch).eval()
    x = torch.randn(batch, 3, px, px)
    last = torch.channels_last
    rates = [rate(net.to(memory_format=last), x.to(memory_format=last), half)]
    if not half:
        rates.append(rate(net.to(memory_format=torch.contiguous_format), x, half))
    print(f"{max(rates):.2f}")


main()
