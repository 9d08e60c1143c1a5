#!/usr/bin/python3
"""pillow_input.py JPEG [full]: median milliseconds from a JPEG in memory to a 224 x 224 crop with Pillow, on one core:
draft (which scales in the decoder) + resize, as a careful user would; full: without draft, as a script usually does."""
import io
import sys
import time

try:
    from PIL import Image
except ImportError as e:
    sys.exit((print(f"no Pillow in Debian's Python: {e}", file=sys.stderr), 77)[1])


def tensor(data, full):
    image = Image.open(io.BytesIO(data))
    if not full:
        image.draft("RGB", (256, 256))
    image = image.convert("RGB")
    w, h = image.size
    side = min(w, h) * 224 / 256
    box = ((w - side) / 2, (h - side) / 2, (w + side) / 2, (h + side) / 2)
    return image.resize((224, 224), Image.BILINEAR, box=box)


def main():
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    times = []
    for i in range(106):
        start = time.perf_counter()
        tensor(data, len(sys.argv) > 2)
        if i >= 5:
            times.append(time.perf_counter() - start)
    print(f"{1e3 * sorted(times)[len(times) // 2]:.3f}")


main()
