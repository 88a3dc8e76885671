"""The data sets published with the original implementation: what and where they are."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from smash.data.raw import reading
from smash.errors import DataError

COMMIT = "f2f238c5af2b92427d8fc77aa068f14bd53f4b8d"
BASE_URL = f"https://raw.githubusercontent.com/zichongli5/SMASH/{COMMIT}/datasets/"

_FILE_SPLITS = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Published:
    """What is known of a published data set; `sha256` has train, validation and test.

    `window_end` is where observation ends, in time units; None: with the last event.
    """

    folder: str
    time_unit: str
    location_unit: str
    location_names: tuple[str, str]
    window_end: float | None
    sha256: tuple[str, str, str]

    def files(self) -> dict[str, tuple[str, str]]:
        """Returns for each split its path below the data folder and its checksum."""
        return {
            split: (f"{self.folder}/data_{word}.pkl", checksum)
            for (split, word), checksum in zip(_FILE_SPLITS.items(), self.sha256, strict=True)
        }


PUBLISHED = MappingProxyType(
    {
        "earthquake": Published(
            folder="Earthquake",
            time_unit="days",
            location_unit="degrees",
            location_names=("longitude", "latitude"),
            window_end=30.0,
            sha256=(
                "8fe0a54c7bc64904de3a6d86e0e5a52766f90b70a0c15efb2addd952d9370683",
                "91165ad175d7ff815a0770408d02a2dcb85dbd12c01e9ffb2c2ec845c8fdab65",
                "1c99f9ea495d5bbdaa08df4a793dfe3317ab53ee7a80b9ea23295c3e38d94315",
            ),
        ),
        "crime": Published(
            folder="crime",
            time_unit="hours",
            location_unit="degrees",
            location_names=("longitude", "latitude"),
            window_end=168.0,
            sha256=(
                "6037e278198ac15050ef5048f24f75c5e2a18865afbe6f44cf4575fb79b741cd",
                "3ef076f9bbea58cf21b4857b4ee2609e3207193d8a3aa1d1245c2de2acf22bde",
                "5d8ff5018d9585a967e6a0ed87950072b83f8d9a79829cc637e94b6c289c5526",
            ),
        ),
        "football": Published(
            folder="football",
            time_unit="seconds",
            location_unit="pitch units",
            location_names=("x", "y"),
            window_end=None,
            sha256=(
                "3f7d23676ad671e2f8da463dd1d133ab3fbcf9bc113d91267253b23814c21e8a",
                "0bdfe58e725603de44af6cf06c969b63b1c38012f7953f46d0c839450651341f",
                "d3f7803163a71150b648059410d474c2da156f508e685ef8cf258cdb0d1e115b",
            ),
        ),
    }
)


@dataclass(frozen=True)
class Files:
    """The files of a data set by split, where they are from, and what is to be said of them."""

    paths: dict[str, Path]
    source: str
    warnings: tuple[str, ...] = ()


def find_files(name: str, about: Published) -> Files:
    """Returns the set's files from the folder in SMASH_DATA, else downloaded and checked.

    Files in SMASH_DATA that differ from the published ones are used, and named in `warnings`.
    Downloads are kept in SMASH_CACHE, by default the user's cache folder.

    Raises:
        DataError: when a file is missing or a download fails, saying what to do.
    """
    root = os.environ.get("SMASH_DATA")
    folder = _folder_below(Path(root), about.folder) if root else None
    return _download(name, about) if folder is None else _local_files(name, about, folder)


def _folder_below(root: Path, name: str) -> Path | None:
    """Returns the folder called `name`, in any case, or None."""
    if not root.is_dir():
        return None
    return next((p for p in sorted(root.iterdir()) if p.name.lower() == name.lower()), None)


def _local_files(name: str, about: Published, folder: Path) -> Files:
    paths, warnings = {}, []
    for split, (file, checksum) in about.files().items():
        path = paths[split] = folder / Path(file).name
        with reading(path, "a file"):
            altered = hashlib.sha256(path.read_bytes()).hexdigest() != checksum
        if altered:
            warnings.append(f"{name}: {path} differs from the published file; it is used as it is")
    return Files(paths, str(folder), tuple(warnings))


def _download(name: str, about: Published) -> Files:
    # Imported here, as only a download needs it.
    import pooch

    files = about.files()
    store = pooch.create(
        path=pooch.os_cache("smash-workbench"),
        base_url=BASE_URL,
        registry={file: f"sha256:{checksum}" for file, checksum in files.values()},
        env="SMASH_CACHE",
    )
    try:
        paths = {split: Path(store.fetch(file)) for split, (file, _) in files.items()}
    except (OSError, ValueError) as error:  # no network or no space; wrong checksum
        looked = os.environ.get("SMASH_DATA")
        where = f"not in SMASH_DATA ({looked})" if looked else "SMASH_DATA is not set"
        raise DataError(
            f"{name}: {where} and the download failed ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:120]}). "
            f"Either set SMASH_DATA to a folder that holds {about.folder}/data_train.pkl, "
            "data_val.pkl and data_test.pkl, or try again with a network connection to "
            f"{BASE_URL}"
        ) from error
    return Files(paths, BASE_URL + about.folder)
