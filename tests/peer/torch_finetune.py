#!/usr/bin/python3
"""The fine-tuning of docs/model.md in PyTorch on a CPU, channels last: from a safetensors file with torchvision's names,
on a folder of photographs with a labels.csv (file, label, split train or val), by a recipe as `topi train --recipe` reads
it. Prints the loss of each epoch, then the accuracy on val.

torch_finetune.py MODEL FOLDER RECIPE.json EPOCHS [SEED]

What gpu/augment.c, gpu/train_schedule.c and gpu/step_rule.h do is done here with Pillow and torch.optim; chance runs
another way. A head of another number of classes is made anew. Fields of a recipe that are not known here are refused."""
import concurrent.futures
import csv
import json
import math
import os
import random
import sys
import time

sys.dont_write_bytecode = True
from torch_train import MEAN, STD, ResNet, load, numpy, torch

try:
    from PIL import Image
except ImportError as e:
    sys.exit((print(f"skipped: no Pillow in Debian's Python: {e}", file=sys.stderr), 77)[1])

PX = 224
DEFAULTS = {"batch": 32, "rule": "sgd", "rate": 0, "momentum": 0.9, "beta2": 0.999, "weight_decay": 5e-4,
            "warm_up": 0.05, "label_smoothing": 0.05, "mixup": 0, "average": 0.05, "norm_frozen": False,
            "layer_decay": 1, "frozen_stages": 0, "relative": False, "blend": 0, "precision": "fastest"}


def shrunk(path, side):
    """The photograph with its short side as wanted."""
    picture = Image.open(path)
    picture.draft("RGB", (side, side))
    picture = picture.convert("RGB")
    scale = side / min(picture.size)
    return picture.resize([max(side, round(s * scale)) for s in picture.size], Image.BILINEAR)


def seen(path):
    """As it is looked at: the square in the centre."""
    picture = shrunk(path, PX * 8 // 7)
    x, y = [(s - PX) // 2 for s in picture.size]
    return numpy.asarray(picture.crop((x, y, x + PX, y + PX)))


def changed(picture, chance):
    """As augment_picture: a rectangle, a mirror, light, contrast and colour, sometimes grey."""
    area, aspect = chance.uniform(0.3, 1), math.exp(chance.uniform(-1, 1) * math.log(4 / 3))
    side = min(picture.size)
    w, h = min(math.sqrt(area * aspect) * side, picture.size[0]), min(math.sqrt(area / aspect) * side, picture.size[1])
    x, y = chance.uniform(0, picture.size[0] - w), chance.uniform(0, picture.size[1] - h)
    rgb = numpy.asarray(picture.resize((PX, PX), Image.BILINEAR, (x, y, x + w, y + h)), numpy.float32)
    if chance.random() < 0.5:
        rgb = rgb[:, ::-1]
    is_grey, light, contrast = chance.random() < 0.15, chance.uniform(0.7, 1.4), chance.uniform(0.7, 1.3)
    if is_grey:
        rgb = (rgb @ numpy.array([0.299, 0.587, 0.114], numpy.float32))[..., None].repeat(3, 2)
    else:
        rgb = rgb * numpy.array([chance.uniform(0.9, 1.1) for _ in range(3)], numpy.float32)
    rgb = rgb * (light * contrast) + light * (1 - contrast) * 110
    return numpy.clip(rgb + 0.5, 0, 255).astype(numpy.uint8)


def tensor(rgb):
    x = (numpy.stack(rgb).astype(numpy.float32) / 255 - numpy.array(MEAN, numpy.float32)) / numpy.array(STD, numpy.float32)
    return torch.from_numpy(x.transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)


def stage(name):
    return 5 if name.startswith("fc") else int(name[5]) if name.startswith("layer") else 0


def optimizer(net, recipe):
    groups = []
    for name, p in net.named_parameters():
        p.requires_grad = stage(name) >= recipe["frozen_stages"]
        scale = recipe["layer_decay"] ** (5 - stage(name))
        if recipe["relative"]:
            scale *= max(1e-3, p.detach().square().mean().sqrt().item())
        if p.requires_grad:
            groups.append({"params": [p], "lr": recipe["rate"] * scale, "scale": scale,
                           "weight_decay": recipe["weight_decay"] if p.dim() > 1 else 0})
    if recipe["rule"] == "sgd":
        return torch.optim.SGD(groups, momentum=recipe["momentum"])
    return torch.optim.AdamW(groups, betas=(recipe["momentum"], recipe["beta2"]))


def rate_at(recipe, step, n_steps):
    warm = max(1, n_steps * recipe["warm_up"])
    if step < warm:
        return recipe["rate"] * (step + 1) / warm
    return recipe["rate"] * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, n_steps - warm)))


def train(net, items, n_classes, recipe, n_epochs, seed):
    """Trains; net ends as the moving average of its weights, with the beginning's share of them."""
    batch, chance = recipe["batch"], random.Random(seed)
    pictures = [shrunk(path, PX * 8 // 7) for path, _ in items]
    n_batches = -(-len(items) // batch)
    n_steps, order = n_epochs * n_batches, []
    rule = optimizer(net, recipe)
    average = {name: t.clone() for name, t in net.state_dict().items()}
    begin = {name: t.clone() for name, t in average.items()}

    def draw(step):
        first = step % n_batches * batch
        if first == 0:
            order[:] = chance.sample(range(len(items)), len(items))
        which = [order[(first + b) % len(items)] for b in range(batch)]
        x = tensor([changed(pictures[i], chance) for i in which])
        target = torch.full((batch, n_classes), recipe["label_smoothing"] / n_classes)
        target[range(batch), [items[i][1] for i in which]] += 1 - recipe["label_smoothing"]
        if recipe["mixup"]:
            share, shift = chance.betavariate(recipe["mixup"], recipe["mixup"]), 1 + chance.randrange(batch - 1)
            x, target = [share * t + (1 - share) * t.roll(shift, 0) for t in (x, target)]
        return x, target

    feed = concurrent.futures.ThreadPoolExecutor(1)
    ahead, total = feed.submit(draw, 0), 0
    for step in range(n_steps):
        x, target = ahead.result()
        if step + 1 < n_steps:
            ahead = feed.submit(draw, step + 1)
        for group in rule.param_groups:
            group["lr"] = rate_at(recipe, step, n_steps) * group["scale"]
        rule.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe["precision"] != "single"):
            logits = net(x)
        loss = torch.nn.functional.cross_entropy(logits.float(), target)
        loss.backward()
        rule.step()
        total += loss.item()
        keep = min(1 - 1 / max(1, n_steps * recipe["average"]), (1 + step) / (10 + step)) if recipe["average"] else 0
        for name, t in net.state_dict().items():
            if t.is_floating_point():
                average[name].lerp_(t, 1 - keep)
        if (step + 1) % n_batches == 0:
            print(f"epoch {(step + 1) // n_batches}: loss {total / n_batches:.4f}", flush=True)
            total = 0
    for name, t in average.items():
        if t.is_floating_point():
            t.lerp_(begin[name], recipe["blend"])
    net.load_state_dict(average)


def main():
    model, folder, recipe_path, n_epochs = sys.argv[1:5]
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    with open(recipe_path, encoding="utf8") as f:
        asked = json.load(f)
    if set(asked) - set(DEFAULTS) or not asked.get("rate"):
        sys.exit(f"the recipe wants a rate, and of other fields knows {', '.join(DEFAULTS)}")
    recipe = {**DEFAULTS, **asked}
    with open(os.path.join(folder, "labels.csv"), encoding="utf8", newline="") as f:
        rows = list(csv.DictReader(f))
    classes = list(dict.fromkeys(row["label"] for row in rows))
    items = {split: [(os.path.join(folder, row["file"]), classes.index(row["label"])) for row in rows
                     if row["split"] == split] for split in ("train", "val")}
    torch.manual_seed(seed)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    net, tensors = ResNet("resnet18", len(classes)), load(model)
    if len(tensors["fc.bias"]) != len(classes):
        tensors = {name: t for name, t in tensors.items() if not name.startswith("fc")}
    net.load_state_dict(tensors, strict=False)
    net = net.to(memory_format=torch.channels_last).train()
    if recipe["norm_frozen"]:
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    start = time.monotonic()
    train(net, items["train"], len(classes), recipe, int(n_epochs), seed)
    wall_s, n_right = time.monotonic() - start, 0
    net.eval()
    with torch.no_grad():
        for path, label in items["val"]:
            n_right += int(net(tensor([seen(path)])).argmax()) == label
    print(f"{len(items['train'])} photographs, {n_epochs} epochs, {wall_s:.0f} s: val {n_right / len(items['val']):.4f}")


main()
