"""Does the pipeline keep the matcher busy? Run by ``scripts/bench pipeline``.

Every row measures both sides in this run, in turns. The bare forward pass is the network alone on
float tensors that are in memory already; ours goes from JPEG files on disk to templates with
``frbench.embedding.embed`` as an evaluation calls it. Where the faces are searched for, detection
is work of its own that no order of things takes away, so that row stands beside the sum of the
bare search and the bare forward pass, both with all cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from bench.timing import Row, machine, row, side_by_side, table
from PIL import Image as Pillow

from frbench.detectors.landmarks import LandmarksDetector
from frbench.detectors.mtcnn import MtcnnDetector
from frbench.detectors.precropped import PrecroppedDetector
from frbench.embedding import embed
from frbench.matchers import Faces, Preprocess
from frbench.values import FaceSet, Float32s

RESULTS = Path(__file__).parent / "results" / "pipeline.json"
BATCH = 32
BAR = 1 / 0.95
POINTS = np.array([[98, 112], [152, 112], [125, 140], [103, 172], [147, 172]])


class Network:
    """torchvision's ResNet-50 with random weights: speed does not depend on what it learnt."""

    default_detector = "precropped"

    def __init__(self, size: int, alignment: Any) -> None:
        self.name = "resnet50"
        self.preprocess = Preprocess(input_size=size, alignment=alignment)
        torch.manual_seed(0)
        self.network = torchvision.models.resnet50(weights=None, num_classes=512).eval()

    def embed(self, faces: Faces) -> Float32s:
        """float32 (b, 512)."""
        pixels = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.forward(pixels)

    def forward(self, pixels: torch.Tensor) -> Float32s:
        """The bare pass."""
        with torch.inference_mode():
            return np.asarray(self.network(pixels))

    def identity(self) -> Mapping[str, Any]:
        """Enough for a run that keeps nothing."""
        return {"name": self.name}


def photographs(folder: Path, count: int, size: int) -> FaceSet:
    """JPEG files as large and as hard to decode as photographs, each another."""
    rng = np.random.default_rng(0)
    names = [f"{number}.jpg" for number in range(count)]
    for name in names:
        coarse = rng.integers(0, 256, (size // 6, size // 6, 3), dtype=np.uint8)
        picture = Pillow.fromarray(coarse).resize((size, size), Pillow.Resampling.BICUBIC)
        picture.save(folder / name, quality=90)
    frame = pd.DataFrame({"image_id": names, "subject_id": names, "path": names}, dtype="str")
    return FaceSet("photographs", "1", folder, frame)


def landmarks_of(faces: FaceSet) -> Path:
    """The same five points for every photograph, as a file of landmarks."""
    table_ = pd.DataFrame({"path": faces.faces["path"]})
    for number, (x, y) in enumerate(POINTS, 1):
        table_[f"x{number}"], table_[f"y{number}"] = x, y
    path = faces.root / "landmarks.csv"
    table_.to_csv(path, index=False)
    return path


def bare_forward(network: Network, count: int) -> Callable[[], None]:
    """The network alone over as many images."""
    size = network.preprocess.input_size
    # channels last in memory, as images are, and as the network is fastest on
    batches = [torch.rand(BATCH, size, size, 3).permute(0, 3, 1, 2) for _ in range(count // BATCH)]

    def run() -> None:
        for batch in batches:
            network.forward(batch)

    return run


def steady(faces: FaceSet, detector: Any, network: Network, workers: int) -> float:
    """Milliseconds per image once two batches are done: the seconds that processes need to start
    are paid once per run, and an evaluation left to itself starts them only where they pay."""
    marks: list[tuple[float, int]] = []
    embed(
        faces,
        detector,
        network,
        batch=BATCH,
        workers=workers,
        progress=lambda done, _: marks.append((time.perf_counter(), done)),
    )
    begun = next(mark for mark in marks if mark[1] >= 2 * BATCH)
    return 1000 * (marks[-1][0] - begun[0]) / (marks[-1][1] - begun[1])


def given_faces(count: int, repeats: int, size: int) -> list[Row]:
    """Photographs with listed landmarks, prepared in processes and in threads."""
    cores = len(os.sched_getaffinity(0))
    ways = {f"in {cores} processes": cores, "in threads": 0}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as one:
        whole = photographs(Path(one), count, 250)
        listed = LandmarksDetector(path=str(landmarks_of(whole)))
        network = Network(size, "five_point")
        forward = bare_forward(network, count // 2)
        forward()
        for _ in range(repeats):
            started = time.perf_counter()
            forward()
            bare.append(1000 * (time.perf_counter() - started) / (count // 2 // BATCH * BATCH))
            for way, workers in ways.items():
                taken[way].append(steady(whole, listed, network, workers))
    peer = statistics.median(bare)
    return [
        row(
            f"JPEG photographs of 250 px, listed landmarks, warped to {size} px, prepared {way}",
            statistics.median(taken[way]),
            "bare ResNet-50 on ready batches",
            peer,
            BAR,
            unit="ms/image",
            images=count,
            repeats=repeats,
        )
        for way in ways
    ]


def searched_faces(count: int, repeats: int) -> list[Row]:
    """The same with MTCNN on the same cores, beside the sum of the two alone."""
    network = Network(112, "box")
    detector = MtcnnDetector()
    with tempfile.TemporaryDirectory() as one:
        whole = photographs(Path(one), count, 250)
        images = [np.asarray(Pillow.open(whole.root / path)) for path in whole.faces["path"]]

        def search() -> None:
            with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
                list(pool.map(lambda image: detector.detect([image]), images))

        ours, bare, searched = side_by_side(
            [
                lambda: embed(whole, _EverySeen(), network, batch=BATCH),
                bare_forward(network, count),
                search,
            ],
            repeats,
        )
    work = f"{count} JPEG photographs of 250 px, searched by MTCNN, to templates"
    against = "bare MTCNN search + bare ResNet-50"
    return [row(work, ours, against, bare + searched, BAR, images=count, search=searched)]


class _EverySeen(MtcnnDetector):
    """Searches in earnest, then takes the whole image, so that each photograph costs a pass."""

    def detect(self, images: Any) -> Any:
        super().detect(images)
        return PrecroppedDetector().detect(images)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--size", type=int, default=112, help="side of the crop, pixels")
    parser.add_argument("--dry", action="store_true", help="print, do not write")
    options = parser.parse_args()
    before = machine()
    rows = given_faces(options.images, options.repeats, options.size)
    rows += searched_faces(options.images // 8, options.repeats)
    print(table(rows))
    if not options.dry:
        RESULTS.parent.mkdir(exist_ok=True)
        text = json.dumps([{**each, "machine": before} for each in rows], indent=1)
        RESULTS.write_text(text + "\n", encoding="utf-8")
        print(f"written to {os.path.relpath(RESULTS)}")


if __name__ == "__main__":
    main()
