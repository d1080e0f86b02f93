"""Files of vectors and ids: .npz, .npy with an index, Parquet, safetensors; nothing is unpickled.

Every format is read into the same arrays: ``vectors`` float [N, D], ``image_id`` [N] and,
optionally, ``enrolled`` bool [N].
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frbench.errors import InputError
from frbench.table_files import read_strings
from frbench.values import EmbeddingSet

Arrays = dict[str, npt.NDArray[Any]]
Refuse = Callable[[str], InputError]

_WANTED = ("vectors", "image_id", "enrolled")
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")
_LONGEST_HEADER = 100_000_000


def arrays_of(data: bytes, ids: Path | None, refuse: Refuse) -> Arrays:
    """The arrays of a file, told apart by its first bytes.

    Args:
        data: the file's bytes.
        ids: the index of an .npy or safetensors file: a CSV or Parquet file with ``image_id`` and
            optionally ``enrolled``, or a text file with one id a line, in the order of the rows.
        refuse: makes the error, naming the file.

    Raises:
        InputError: an unknown format, damage, Python objects, a missing array, or an index where
            the format holds its own ids.
    """
    held: Arrays
    if data.startswith(b"PK"):
        held = _npz(data, refuse)
    elif data.startswith(b"\x93NUMPY"):
        held = {"vectors": _npy(data, refuse)}
    elif data.startswith(b"PAR1"):
        held = _parquet(data, refuse)
    elif data[8:9] == b"{":
        held = _safetensors(data, refuse)
    else:
        raise refuse(
            "is not an .npz file, nor .npy, Parquet or safetensors; write it with numpy.savez"
        )
    if ids is not None and "image_id" in held:
        raise refuse("holds its own image_id; remove matcher.ids")
    if ids is not None:
        held |= index_of(ids)
    there = ", ".join(held)
    for key in ("vectors", "image_id"):
        if key not in held:
            more = "; name its index with matcher.ids=FILE" if key == "image_id" else ""
            raise refuse(f"has no array '{key}'; it holds {there or 'nothing'}{more}")
    return held


def index_of(path: Path) -> Arrays:
    """The ids, and what is said of enrolment, of an index file.

    Raises:
        InputError: unreadable, without image_id, a blank id, or an ``enrolled`` that is no yes or
            no.
    """
    if path.suffix.lower() in (".txt", ".lst"):
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as cause:
            raise InputError(f"matcher.ids={path} cannot be read as text ({cause})") from None
        blank = [number for number, line in enumerate(lines, 1) if not line.strip()]
        if blank:
            raise InputError(f"matcher.ids={path}: line {blank[0]} is blank; one id a line")
        return {"image_id": np.array([line.strip() for line in lines], dtype=np.str_)}
    table = read_strings(path, what="matcher.ids")
    if "image_id" not in table.frame:
        raise InputError(
            f"matcher.ids={path} has no column image_id; its columns are "
            f"{', '.join(table.frame.columns)}"
        )
    blanks = np.flatnonzero(table.frame["image_id"].isna().to_numpy())
    if len(blanks):
        raise InputError(f"matcher.ids={path}: {table.where(int(blanks[0]))}: image_id is blank")
    found: Arrays = {"image_id": table.frame["image_id"].to_numpy(dtype=np.str_)}
    if "enrolled" in table.frame:
        words = table.frame["enrolled"].fillna("").str.lower()
        strange = np.flatnonzero(~words.isin([*_YES, *_NO]).to_numpy())
        if len(strange):
            raise InputError(
                f"matcher.ids={path}: {table.where(int(strange[0]))}: enrolled is "
                f"{words.iloc[strange[0]]!r}; write true or false"
            )
        found["enrolled"] = words.isin(_YES).to_numpy(dtype=np.bool_)
    return found


def write_vectors(vectors: EmbeddingSet, path: Path) -> None:
    """The templates as ``.npz``, ``.npy`` (with ``<stem>.ids.csv``), ``.parquet`` or
    ``.safetensors``, by the name's ending. Raises InputError for another ending."""
    names = vectors.image_id.tolist()
    if path.suffix == ".npz":
        np.savez(
            path, vectors=vectors.vectors, image_id=vectors.image_id, enrolled=vectors.enrolled
        )
    elif path.suffix == ".npy":
        import pandas as pd

        np.save(path, vectors.vectors)
        index = pd.DataFrame({"image_id": names, "enrolled": vectors.enrolled})
        index.to_csv(path.with_suffix(".ids.csv"), index=False)
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        width = vectors.vectors.shape[1]
        flat = pa.array(vectors.vectors.reshape(-1))
        columns = {
            "image_id": pa.array(names, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, width),
            "enrolled": pa.array(vectors.enrolled),
        }
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        arrays = {"vectors": np.ascontiguousarray(vectors.vectors), "enrolled": vectors.enrolled}
        save_file(arrays, path, metadata={"image_id": json.dumps(names)})
    else:
        raise InputError(f"{path}: vectors are written as .npz, .npy, .parquet or .safetensors")


def _npz(data: bytes, refuse: Refuse) -> Arrays:
    """The three arrays; pickled objects inside are never loaded, as they could run code."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            held = {key: stored[key] for key in _WANTED if key in stored}
            others = [key for key in stored.files if key not in _WANTED]
    except ValueError as error:
        raise _refused_value(error, refuse) from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise refuse(f"is damaged ({error})") from None
    absent = [key for key in ("vectors", "image_id") if key not in held]
    if absent:
        there = ", ".join([*held, *others])
        raise refuse(f"has no array '{absent[0]}'; it holds {there or 'nothing'}")
    return held


def _npy(data: bytes, refuse: Refuse) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    except ValueError as error:
        raise _refused_value(error, refuse) from None
    except (OSError, EOFError) as error:
        raise refuse(f"is damaged ({error})") from None
    return array


def _refused_value(error: ValueError, refuse: Refuse) -> InputError:
    if "pickle" not in str(error).lower():
        return refuse(f"is damaged ({error})")
    return refuse(
        "holds Python objects, which are never loaded; store image_id as text, e.g. "
        "numpy.array(ids, dtype=str)"
    )


def _parquet(data: bytes, refuse: Refuse) -> Arrays:
    """A column ``vector`` of lists, or every other column of floats as one dimension."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise refuse(f"is damaged ({str(error).splitlines()[0]})") from None
    names = table.column_names
    if "image_id" not in names:
        raise refuse(f"has no column image_id; its columns are {', '.join(names)}")
    held: Arrays = {"image_id": _text_column(table["image_id"], refuse)}
    if "enrolled" in names:
        held["enrolled"] = table["enrolled"].to_numpy()
    lists = next((name for name in ("vector", "vectors", "embedding") if name in names), None)
    if lists is not None:
        held["vectors"] = _from_lists(table[lists], lists, refuse)
        return held
    floats = [name for name in names if pa.types.is_floating(table.schema.field(name).type)]
    if not floats:
        raise refuse("has no column 'vector' of lists and no columns of floats")
    held["vectors"] = np.stack([table[name].to_numpy() for name in floats], axis=1)
    return held


def _text_column(column: Any, refuse: Refuse) -> npt.NDArray[Any]:
    import pyarrow as pa

    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise refuse(f"row {row + 1}: image_id is blank")
    if pa.types.is_integer(column.type):
        numbers: npt.NDArray[Any] = column.to_numpy()
        return numbers
    return np.array([str(value) for value in column.to_pylist()], dtype=np.str_)


def _from_lists(column: Any, name: str, refuse: Refuse) -> npt.NDArray[Any]:
    """float [N, D] from lists of one length; a missing list is a row of NaN, so not enrolled."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed(kind)):
        raise refuse(f"column {name} holds {kind}, not lists of floats")
    if not pa.types.is_floating(kind.value_type):
        raise refuse(f"column {name} holds lists of {kind.value_type}, not of floats")
    lengths = pc.list_value_length(column).to_pylist()
    known = [length for length in lengths if length is not None]
    width = known[0] if known else 0
    odd = next((row for row, n in enumerate(lengths) if n is not None and n != width), None)
    if odd is not None:
        raise refuse(f"row {odd + 1}: {lengths[odd]} numbers, but row 1 has {width}")
    dtype = kind.value_type.to_pandas_dtype()
    vectors = np.full((len(lengths), width), np.nan, dtype=dtype)
    there = np.array([length is not None for length in lengths], dtype=np.bool_)
    flat = pc.list_flatten(column.drop_null()).to_numpy(zero_copy_only=False)
    vectors[there] = flat.reshape(-1, width) if width else vectors[there]
    return vectors


def _is_fixed(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_list(kind))


def _safetensors(data: bytes, refuse: Refuse) -> Arrays:
    """Tensors ``vectors`` and ``enrolled``; ids from the metadata ``image_id``, a JSON list."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    (length,) = struct.unpack("<Q", data[:8])
    if length > min(_LONGEST_HEADER, len(data) - 8):
        raise refuse(f"is damaged: its header says {length} bytes, the file has {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length])
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise refuse(
            f"is damaged, or holds a type numpy lacks, such as bfloat16 ({error})"
        ) from None
    held: Arrays = {key: tensors[key] for key in ("vectors", "enrolled") if key in tensors}
    if "vectors" not in held:
        raise refuse(f"has no array 'vectors'; it holds {', '.join(tensors) or 'nothing'}")
    named = (header.get("__metadata__") or {}).get("image_id")
    if named is not None:
        held["image_id"] = _listed_ids(named, refuse)
    return held


def _listed_ids(named: str, refuse: Refuse) -> npt.NDArray[np.str_]:
    try:
        ids = json.loads(named)
    except ValueError:
        ids = None
    if not isinstance(ids, list) or not all(isinstance(each, str | int) for each in ids):
        raise refuse("its metadata image_id is no JSON list of texts")
    return np.array([str(each) for each in ids], dtype=np.str_)
