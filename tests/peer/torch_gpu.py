#!/usr/bin/env python3
"""PyTorch on a card, for tools/gpu-check.sh: images a second at 224 px, channels_last.

torch_gpu.py WORK... where WORK is infer:NET:BATCH or train:NET:BATCH. Prints a line `WORK RATE HOW` each: the best of
eager and torch.compile (where it works), the median of runs of about half a second. The work is what bench_cuda does:
uint8 pictures in pinned memory of this machine to logits in it (half precision), or whole steps of SGD with momentum
under AMP in bf16, the loss read back after each. 77 where there is no PyTorch, card or torchvision.
"""
import statistics
import sys
import time

try:
    import torch
    import torchvision
except ImportError as e:
    print(f"torch_gpu: skipped: {e}", file=sys.stderr)
    sys.exit(77)
if not torch.cuda.is_available():
    print("torch_gpu: skipped: PyTorch sees no card", file=sys.stderr)
    sys.exit(77)

PX, CLASSES, RUNS, RUN_S = 224, 1000, 7, 0.5
torch.backends.cudnn.benchmark = True
torch.manual_seed(1)
mean = torch.tensor([0.485, 0.456, 0.406], device="cuda").view(1, 3, 1, 1) * 255
std = torch.tensor([0.229, 0.224, 0.225], device="cuda").view(1, 3, 1, 1) * 255


def pictures(batch):
    rgb = torch.randint(0, 256, (batch, PX, PX, 3), dtype=torch.uint8).pin_memory()
    return rgb


def to_card(rgb, dtype):
    x = rgb.to("cuda", non_blocking=True).permute(0, 3, 1, 2)
    return ((x.to(torch.float32) - mean) / std).to(dtype).contiguous(memory_format=torch.channels_last)


def rate(once, batch):
    rates = []
    for _ in range(5):
        once()
    torch.cuda.synchronize()
    for _ in range(RUNS):
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < RUN_S:
            for _ in range(4):
                once()
            torch.cuda.synchronize()
            n += 4 * batch
        rates.append(n / (time.perf_counter() - start))
    return statistics.median(rates)


def infer(net, batch, compiled):
    model = getattr(torchvision.models, net)(weights=None).eval().cuda().half().to(memory_format=torch.channels_last)
    rgb = pictures(batch)
    out = torch.empty((batch, CLASSES), dtype=torch.half).pin_memory()
    run = torch.compile(model) if compiled else model

    def once():
        with torch.inference_mode():
            out.copy_(run(to_card(rgb, torch.half)), non_blocking=True)

    return rate(once, batch)


def train(net, batch, compiled):
    model = getattr(torchvision.models, net)(weights=None).train().cuda().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    rgb = pictures(batch)
    target = (torch.arange(batch) * 37 % CLASSES).cuda()
    run = torch.compile(model) if compiled else model

    def once():
        x = to_card(rgb, torch.float32)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(run(x), target)
        loss.backward()
        optimizer.step()
        loss.item()

    return rate(once, batch)


for work in sys.argv[1:]:
    kind, net, batch = work.split(":")
    best, how = 0.0, "-"
    for compiled in (0, 1):
        try:
            got = (infer if kind == "infer" else train)(net, int(batch), compiled)
        except Exception as e:  # torch.compile wants a working Triton
            print(f"torch_gpu: {work}, {'compiled' if compiled else 'eager'}: {e}", file=sys.stderr)
            continue
        if got > best:
            best, how = got, "compile" if compiled else "eager"
        torch.cuda.empty_cache()
    print(f"{work} {best:.1f} {how}", flush=True)
