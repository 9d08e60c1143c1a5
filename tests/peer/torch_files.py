#!/usr/bin/python3
"""torch_files.py DIR N plain|tuned [half]: pictures a second from DIR's JPEGs to the logits of a ResNet-18 at 224 px.
plain: full decode with Pillow, resize, an eager net, one picture after another in batches of 16; tuned: draft in the
decoder, frozen and optimized net (half: bf16 autocast), channels last, and the faster of two ways to decode: a batch ahead
in a thread beside the net, or by a thread a core between batches."""
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

try:
    import numpy
    import torch
    from PIL import Image
    from torch import nn
except ImportError as e:
    sys.exit((print(f"no PyTorch and Pillow in Debian's Python: {e}", file=sys.stderr), 77)[1])

BATCH = 16
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(True),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out))
        change = stride != 1 or c_in != c_out
        self.skip = (nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
                     if change else nn.Identity())

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


def resnet18():
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    c = 64
    for stage in range(4):
        for i in range(2):
            layers.append(Block(c, 64 << stage, 2 if stage and not i else 1))
            c = 64 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 54)).eval()


def load(path, tuned):
    image = Image.open(path)
    if tuned:
        image.draft("RGB", (224, 224))
    return numpy.asarray(image.convert("RGB").resize((224, 224), Image.BILINEAR))


def batch_of(paths, tuned):
    x = torch.from_numpy(numpy.stack([load(p, tuned) for p in paths])).permute(0, 3, 1, 2)
    return (x.float() / 255 - MEAN) / STD


def beside(net, batches):
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(batch_of, batches[0], True)
        for i in range(len(batches)):
            x = ahead.result().contiguous(memory_format=torch.channels_last)
            if i + 1 < len(batches):
                ahead = pool.submit(batch_of, batches[i + 1], True)
            net(x).argmax(1)


def between(net, batches):
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for paths in batches:
            pictures = numpy.stack(list(pool.map(lambda path: load(path, True), paths)))
            x = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
            net(x.contiguous(memory_format=torch.channels_last)).argmax(1)


def plain(net, batches):
    for paths in batches:
        net(batch_of(paths, False)).argmax(1)


def main():
    folder, n, tuned, half = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "tuned", "half" in sys.argv
    names = sorted(x for x in os.listdir(folder) if x.endswith(".jpg"))
    paths = [os.path.join(folder, names[i % len(names)]) for i in range(n // BATCH * BATCH)]
    batches = [paths[i:i + BATCH] for i in range(0, len(paths), BATCH)]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    net = resnet18()
    best = 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half, cache_enabled=False):
        first = batch_of(batches[0], tuned)
        if tuned:
            net = net.to(memory_format=torch.channels_last)
            first = first.contiguous(memory_format=torch.channels_last)
            net = torch.jit.freeze(torch.jit.trace(net, first))
            if not half:
                net = torch.jit.optimize_for_inference(net)
        for _ in range(3):
            net(first)
        for way in (beside, between) if tuned else (plain,):
            start = time.perf_counter()
            way(net, batches)
            rate = len(batches) * BATCH / (time.perf_counter() - start)
            print(f"{way.__name__}: {rate:.1f}", file=sys.stderr)
            best = max(best, rate)
    print(f"{best:.1f}")


main()
