from pathlib import Path

import pytest

from mmgat.training.transfer.audio.packed import PackedSet


@pytest.fixture(scope="package")
def packed(pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PackedSet:
    return PackedSet(pack_folder, tmp_path_factory.mktemp("unpacked"))
