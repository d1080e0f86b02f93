"""From a detected face to the crop that the matcher was made for.

Every crop is a pure function of the pixels, the detection and the matcher's ``Preprocess``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from frbench.detectors import Detection, Image
from frbench.errors import InputError
from frbench.matchers import Preprocess
from frbench.values import Float32s, Float64s

TEMPLATE_112: Float64s = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""Eye centres, nose tip and mouth corners on the 112x112 crop that ArcFace-style matchers were
trained on; pixel centres at whole numbers (Deng et al., ArcFace, CVPR 2019, released code)."""

_CHIP_PADDING = 0.25
_FILTERS = {
    "nearest": Pillow.Resampling.NEAREST,
    "bilinear": Pillow.Resampling.BILINEAR,
    "bicubic": Pillow.Resampling.BICUBIC,
}


def align(image: Image, face: Detection, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """The crop, uint8 (S, S, 3) RGB with S = ``preprocess.input_size``.

    Raises InputError when the alignment needs landmarks that the detector does not give, or the
    filter has an unknown name.
    """
    size = preprocess.input_size
    if preprocess.interpolation not in _FILTERS:
        raise InputError(
            f"interpolation {preprocess.interpolation!r} is unknown; use {', '.join(_FILTERS)}"
        )
    if preprocess.alignment == "none":
        return _resized(Pillow.fromarray(image), size, preprocess.interpolation)
    if preprocess.alignment == "box":
        return _box_crop(image, face.box, preprocess)
    if preprocess.alignment == "five_point":
        transform = similarity(TEMPLATE_112 * (size / 112), _landmarks(face, "five"))
        return _warp(image, transform, size, preprocess.interpolation)
    return _dlib_chip(image, face, size)


def similarity(source: Float64s, target: Float64s | Float32s) -> Float64s:
    """The rotation, scale and shift that take ``source`` closest to ``target``, [2, 3].

    Least squares in closed form, reflections excluded (Umeyama, IEEE PAMI 13(4) 1991, eq. 40-43).

    Args:
        source, target: float [P, 2], pixels.

    Raises:
        ValueError: all source points coincide.
    """
    target = np.asarray(target, dtype=np.float64)
    from_middle, to_middle = source.mean(axis=0), target.mean(axis=0)
    centred, aimed = source - from_middle, target - to_middle
    spread = (centred**2).sum() / len(source)
    if spread == 0:
        raise ValueError("all source points coincide")
    left, strengths, right = np.linalg.svd(aimed.T @ centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = (left * signs) @ right
    scale = (strengths * signs).sum() / spread
    shift = to_middle - scale * rotation @ from_middle
    return np.column_stack([scale * rotation, shift])


def _landmarks(face: Detection, name: str) -> Float32s:
    if name not in face.landmarks:
        raise InputError(
            f"this matcher is aligned by the landmarks '{name}', which this detector does not "
            f"give (it gives {', '.join(face.landmarks) or 'none'}); choose another detector: "
            "mtcnn and dlib_hog give 'five', dlib_hog gives 'dlib5', landmarks gives what its "
            "file has"
        )
    return face.landmarks[name]


def _resized(picture: Pillow.Image, size: int, interpolation: str) -> npt.NDArray[np.uint8]:
    if picture.size != (size, size):
        picture = picture.resize((size, size), _FILTERS[interpolation])
    return np.array(picture)


def _box_crop(image: Image, box: Float32s, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """facenet-pytorch's ``extract_face``: the margin counts at the crop's scale, edges are cut."""
    if np.isnan(box).any():
        raise InputError(
            "this matcher crops by the face's box, which this detector does not give; add the "
            "columns box_x0, box_y0, box_x1, box_y1 to the file of landmarks"
        )
    size, margin = preprocess.input_size, preprocess.margin
    height, width = image.shape[:2]
    grow_x = margin * (box[2] - box[0]) / (size - margin) / 2
    grow_y = margin * (box[3] - box[1]) / (size - margin) / 2
    edges = (
        int(max(box[0] - grow_x, 0)),
        int(max(box[1] - grow_y, 0)),
        int(min(box[2] + grow_x, width)),
        int(min(box[3] + grow_y, height)),
    )
    return _resized(Pillow.fromarray(image).crop(edges), size, preprocess.interpolation)


def _warp(
    image: Image, transform: Float64s, size: int, interpolation: str
) -> npt.NDArray[np.uint8]:
    """The image seen through ``transform`` (crop pixel -> image pixel), black outside the image.

    A large face is first shrunk to the crop's scale with an antialiasing filter, since sampling
    every fifth pixel of a sharp photograph gives a grain that no matcher was trained on.
    """
    picture = Pillow.fromarray(image)
    scale = float(np.sqrt(np.linalg.det(transform[:, :2])))
    if scale > 1:
        shrunk = (max(1, round(picture.width / scale)), max(1, round(picture.height / scale)))
        ratio = np.array([shrunk[0] / picture.width, shrunk[1] / picture.height])
        transform = _between_pixel_centres(transform, ratio)
        picture = picture.resize(shrunk, Pillow.Resampling.BILINEAR)
    # Pillow adds half a pixel on the way in and takes it off on the way out; the template and
    # the landmarks put whole numbers on pixel centres
    half = np.array([0.5, 0.5])
    shift = transform[:, 2] - transform[:, :2] @ half + half
    data = np.column_stack([transform[:, :2], shift]).ravel().tolist()
    seen = [
        # as floats, since on bytes Pillow cuts the fraction off and so darkens every crop
        np.asarray(
            channel.convert("F").transform(
                (size, size), Pillow.Transform.AFFINE, data, resample=_FILTERS[interpolation]
            )
        )
        for channel in picture.split()
    ]
    rounded: npt.NDArray[np.uint8] = np.rint(np.stack(seen, axis=-1)).clip(0, 255).astype(np.uint8)
    return rounded


def _between_pixel_centres(transform: Float64s, ratio: Float64s) -> Float64s:
    """``transform`` for the image after a resize by ``ratio``: x' = (x + 1/2) ratio - 1/2."""
    linear = transform[:, :2] * ratio[:, None]
    shift = (transform[:, 2] + 0.5) * ratio - 0.5
    return np.column_stack([linear, shift])


def _dlib_chip(image: Image, face: Detection, size: int) -> npt.NDArray[np.uint8]:
    """dlib's own aligned chip, as its recognition network was trained on."""
    from frbench.dlib_files import import_dlib

    dlib = import_dlib()
    points = [dlib.point(int(x), int(y)) for x, y in _landmarks(face, "dlib5")]
    box = dlib.rectangle(*(int(edge) for edge in face.extent))
    shape = dlib.full_object_detection(box, points)
    chip = dlib.get_face_chip(np.ascontiguousarray(image), shape, size, _CHIP_PADDING)
    return np.asarray(chip, dtype=np.uint8)
