#!/usr/bin/python3
"""A ResNet's training step in PyTorch on a CPU, channels last.

torch_train.py ARCH BATCH single|half [PX]: images a second of whole steps (forward, backward, SGD with momentum); half
is bf16 autocast. Pictures are floats in memory already.

torch_train.py losses MODEL BATCH PX N_STEPS RATE MOMENTUM DECAY [double]: the loss of each step of SGD, a line each, from a
safetensors file with torchvision's names and on the pictures that picture() makes. Its decay spares vectors."""
import json
import os
import struct
import sys
import time

try:
    import numpy
    import torch
    from torch import nn
except ImportError as e:
    sys.exit((print(f"skipped: no PyTorch in Debian's Python: {e}", file=sys.stderr), 77)[1])

ARCHS = {"resnet18": (1, [2, 2, 2, 2]), "resnet34": (1, [3, 4, 6, 3]), "resnet50": (4, [3, 4, 6, 3])}
DTYPES = {"F32": "<f4", "F16": "<f2"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def conv(c_in, c_out, kernel, stride):
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)


class Block(nn.Module):
    def __init__(self, c_in, width, stride, expansion):
        super().__init__()
        c_out = width * expansion
        shapes = [(c_in, width, 3, stride), (width, width, 3, 1)]
        if expansion > 1:
            shapes = [(c_in, width, 1, 1), (width, width, 3, stride), (width, c_out, 1, 1)]
        self.n = len(shapes)
        for i, shape in enumerate(shapes, 1):
            setattr(self, f"conv{i}", conv(*shape))
            setattr(self, f"bn{i}", nn.BatchNorm2d(shape[1]))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))

    def forward(self, x):
        skip = x if self.downsample is None else self.downsample(x)
        for i in range(1, self.n + 1):
            x = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))
            x = self.relu(x + skip if i == self.n else x)
        return x


class ResNet(nn.Module):
    def __init__(self, arch, n_classes):
        super().__init__()
        expansion, depths = ARCHS[arch]
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        c = 64
        for stage, depth in enumerate(depths):
            blocks = []
            for i in range(depth):
                blocks.append(Block(c, 64 << stage, 2 if stage and not i else 1, expansion))
                c = (64 << stage) * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c, n_classes)

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def load(path):
    """The tensors of a safetensors file: 8 bytes of length, JSON, bytes."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(size)), f.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, what in header.items():
        if what["dtype"] not in DTYPES:
            raise SystemExit(f"{name} is {what['dtype']}: wanted {' or '.join(DTYPES)}")
        start, end = what["data_offsets"]
        values = numpy.frombuffer(data[start:end], DTYPES[what["dtype"]])
        tensors[name] = torch.from_numpy(values.reshape(what["shape"]).astype(numpy.float32))
    return tensors


def pictures(batch, px, step):
    """Patches of 8 x 8 by a rule that the C test has, too, normalised."""
    n, y, x, c = numpy.indices((batch, px, px, 3), dtype=numpy.uint64)
    key = ((n * 64 + y // 8) * 64 + x // 8) * 3 + c + numpy.uint64(step * 7919)
    bytes_ = ((key * numpy.uint64(2654435761) & numpy.uint64(0xFFFFFFFF)) >> numpy.uint64(13)) & numpy.uint64(255)
    rgb = bytes_.astype(numpy.float32) / 255
    rgb = (rgb - numpy.array(MEAN, numpy.float32)) / numpy.array(STD, numpy.float32)
    x = torch.from_numpy(rgb.astype(numpy.float32).transpose(0, 3, 1, 2).copy())
    return x.contiguous(memory_format=torch.channels_last)


def losses(path, batch, px, n_steps, rate, momentum, decay, dtype):
    tensors = load(path)
    n_classes = len(tensors["fc.bias"])
    net = ResNet("resnet18", n_classes)
    missing, unknown = net.load_state_dict(tensors, strict=False)
    if unknown or any(not name.endswith("num_batches_tracked") for name in missing):
        raise SystemExit(f"the model lacks {missing}, and {unknown} is unknown")
    net = net.to(dtype, memory_format=torch.channels_last).train()
    groups = [{"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": decay},
              {"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=momentum)
    target = torch.arange(batch) % n_classes
    for step in range(n_steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(pictures(batch, px, step).to(dtype)), target)
        loss.backward()
        optimizer.step()
        print(f"{loss.item():.9g}")


def rate(arch, batch, half, px):
    net = ResNet(arch, 1000).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    x, target, times, until = pictures(batch, px, 0), torch.arange(batch), [], 0
    for i in range(10000):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = nn.functional.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
        end = time.perf_counter()
        if i == 2:
            until = end + 4
        if i > 2:
            times.append(end - start)
        if len(times) >= 5 and end > until:
            break
    return batch / sorted(times)[len(times) // 2]


def main():
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # its own default here is one
    torch.manual_seed(1)
    if sys.argv[1] == "losses":
        dtype = torch.float64 if sys.argv[9:] == ["double"] else torch.float32
        losses(sys.argv[2], *map(int, sys.argv[3:6]), *map(float, sys.argv[6:9]), dtype)
    else:
        px = int(sys.argv[4]) if len(sys.argv) > 4 else 224
        print(f"{rate(sys.argv[1], int(sys.argv[2]), sys.argv[3] == 'half', px):.2f}")


if __name__ == "__main__":
    main()
