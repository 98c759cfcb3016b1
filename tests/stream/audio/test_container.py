"""What is read in a container, on headers made here by hand; whole files are in test_file_lengths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmgat.stream.audio.container import STRETCH, TAIL_BYTES, Container, inspect, is_cut

Inspect = Callable[[bytes], Container]

FRAME = b"\xff\xfb\x90\x00"
"""The header of an MP3 frame."""


def le(n: int, size: int = 4) -> bytes:
    return n.to_bytes(size, "little")


def be(n: int, size: int = 4) -> bytes:
    return n.to_bytes(size, "big")


@pytest.fixture
def found(tmp_path: Path) -> Inspect:
    def inspected(content: bytes) -> Container:
        path = tmp_path / "clip"
        path.write_bytes(content)
        return inspect(path)

    return inspected


def mp3(tag: bytes, size: int, before: bytes = b"", behind: bytes = b"") -> bytes:
    """Tags, a frame with a header of frames, and so many bytes in all but for the tags."""
    return before + (FRAME + bytes(32) + tag).ljust(size, b"\x55") + behind


def xing(n_bytes: int, name: bytes = b"Xing", flags: int = 3) -> bytes:
    return name + be(flags) + be(100) + be(n_bytes)


def vbri(n_bytes: int) -> bytes:
    return b"VBRI" + bytes(6) + be(n_bytes) + be(100)


def ape(size: int, has_header: bool) -> bytes:
    """An APE tag of a content of that size: its header, if it has one, the content, its footer."""
    footer = b"APETAGEX" + le(2000) + le(size + 32) + le(1) + le(0x8000_0000 if has_header else 0)
    return (b"H" * 32 if has_header else b"") + bytes(size) + footer + bytes(8)


ID3V1 = b"TAG" + bytes(125)


@pytest.mark.parametrize("header", [xing, vbri, lambda n: xing(n, b"Info")])
def test_an_mp3_that_is_as_long_as_it_says_is_read_as_it_is(
    found: Inspect, header: Callable[[int], bytes]
) -> None:
    assert found(mp3(header(4000), 4000)) == Container(None)
    assert found(mp3(header(4000), 4399)) == Container(None)
    assert found(mp3(header(1 << 24), 4000)) == Container(None)  # shorter, as libsndfile notices


@pytest.mark.parametrize("header", [xing, vbri, lambda n: xing(n, b"Info")])
def test_an_mp3_that_is_longer_than_it_says_is_read_without_its_header(
    found: Inspect, header: Callable[[int], bytes]
) -> None:
    """The count is made unreadable, and libsndfile gets a file so long that it reads to the end."""
    expected = Container(None, patches={36: bytes(4)}, length=STRETCH * 4401, end=4401)
    assert found(mp3(header(4000), 4401)) == expected


def test_a_count_behind_a_tag_is_where_the_tag_ends(found: Inspect) -> None:
    id3 = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 2]) + bytes(130)  # seven bits a byte
    longer = found(mp3(xing(4000), 4500, before=id3))
    assert longer.patches == {140 + 36: bytes(4)}
    assert longer.end == 140 + 4500
    assert found(mp3(xing(4000), 4300, before=id3)) == Container(None)


@pytest.mark.parametrize("flags", [0, 1, 2])
def test_an_mp3_without_a_count_of_bytes_is_read_to_its_end(found: Inspect, flags: int) -> None:
    content = mp3(xing(4000, flags=flags), 4000)
    assert found(content) == Container(None, length=STRETCH * 4000, end=4000)


@pytest.mark.parametrize(
    ("tags", "n_bytes"),
    [
        (ID3V1, 128),
        (ape(100, has_header=False), 132),
        (ape(100, has_header=True), 164),
        (ape(300, has_header=True) + ID3V1, 492),
    ],
    ids=["ID3v1", "APE", "APE with a header", "APE and ID3v1"],
)
def test_tags_behind_an_mp3_are_no_sound(found: Inspect, tags: bytes, n_bytes: int) -> None:
    assert len(tags) == n_bytes
    assert found(mp3(b"", 3000, behind=tags)).end == 3000


def test_a_tag_that_says_it_is_longer_than_the_file_leaves_nothing(found: Inspect) -> None:
    footer = b"APETAGEX" + le(2000) + le(1 << 30) + bytes(16)
    assert found(mp3(b"", 200, behind=footer)).end == 0


def test_a_flac_counts_its_samples_and_is_read_without_the_count(found: Inspect) -> None:
    """The upper half of the byte before the count belongs to the sample size."""
    head = b"fLaC" + bytes(17) + bytes([0x73, 0, 0, 1, 0]) + bytes(30)
    assert found(head) == Container(0x3_0000_0100, patches={21: b"\x70" + bytes(4)})
    id3 = b"ID3\x04\x00\x00" + bytes([0, 0, 0, 5]) + bytes(5)
    assert found(id3 + head).patches == {36: b"\x70" + bytes(4)}
    unknown = b"fLaC" + bytes(17) + b"\x70" + bytes(34)
    assert found(unknown) == Container(None)
    for n_bytes in (4, 21, 22, 25):
        assert found(head[:n_bytes]) == Container(None)
    assert found(head[:26]).frames == 0x3_0000_0100


@pytest.mark.parametrize(
    ("tail", "cut"),
    [
        (b"OggS\x00\x04" + bytes(100), False),
        (b"OggS\x00\x05" + bytes(100), False),
        (b"OggS\x00\x00" + bytes(100), True),
        (b"OggS\x00\x04" + bytes(50) + b"OggS\x00\x01" + bytes(50), True),
        (b"OggS\x00", True),
        (b"OggS", True),
        (b"OggS\x00\x04" + bytes(TAIL_BYTES), True),
    ],
)
def test_an_ogg_file_ends_with_a_page_that_says_so(found: Inspect, tail: bytes, cut: bool) -> None:
    assert found(b"OggS\x00\x02" + bytes(200) + tail) == Container(None, cut=cut)


def wav(*chunks: tuple[bytes, bytes, int | None]) -> bytes:
    """Chunks of name, content, and the length that they say, if it is not that of the content."""
    body = b"".join(
        name + le(len(content) if says is None else says) + content + bytes(len(content) % 2)
        for name, content, says in chunks
    )
    return b"RIFF" + le(len(body) + 4) + b"WAVE" + body


def fmt(tag: int = 1, frame_bytes: int = 4) -> tuple[bytes, bytes, None]:
    return b"fmt ", le(tag, 2) + bytes(10) + le(frame_bytes, 2) + le(16, 2), None


@pytest.mark.parametrize("tag", [1, 3, 0xFFFE])
def test_a_wav_that_is_cut_has_the_frames_of_its_header(found: Inspect, tag: int) -> None:
    content = wav(fmt(tag), (b"odd ", b"123", None), (b"data", bytes(40), 4000))
    assert found(content) == Container(1000)


def test_only_the_chunk_of_the_format_says_how_large_a_frame_is(found: Inspect) -> None:
    other = (b"odd ", fmt(frame_bytes=2)[1], None)
    assert found(wav(fmt(), other, (b"data", bytes(40), 4000))) == Container(1000)


def test_of_a_compressed_wav_that_is_cut_nobody_knows_the_frames(found: Inspect) -> None:
    assert found(wav(fmt(2), (b"data", bytes(40), 4000))) == Container(None, cut=True)
    assert found(wav((b"fmt ", bytes(14), None), (b"data", bytes(40), 41))).cut


def test_a_wav_that_is_whole_is_read_as_it_is(found: Inspect) -> None:
    assert found(wav(fmt(), (b"data", bytes(40), None))) == Container(None)
    for size in (90, 200, 301):
        behind = (b"LIST", bytes(size), None)
        assert found(wav(fmt(), (b"data", bytes(40), None), behind, behind)) == Container(None)


@pytest.mark.parametrize(
    ("says", "lies"), [(0, True), (8, True), (0x7FFF_0000, False), (0xFFFF_FFFF, False)]
)
def test_a_wav_without_a_length_is_read_to_its_end(found: Inspect, says: int, lies: bool) -> None:
    content = wav(fmt(), (b"data", b"\x80" * 400, says))
    unknown = b"\xff" * 4
    assert found(content) == Container(None, lies, patches={4: unknown, 40: unknown})


def test_a_wav64_of_a_killed_recorder_is_given_the_length_that_it_has(found: Inspect) -> None:
    def rf64(n_bytes: int) -> bytes:
        ds64 = b"ds64" + le(24) + le(0, 8) + le(n_bytes, 8) + le(0, 8)
        return b"RF64" + le(0xFFFF_FFFF) + b"WAVE" + ds64 + b"data" + le(0xFFFF_FFFF) + bytes(90)

    assert found(rf64(0)) == Container(None, no_length=True, patches={28: le(90, 8)})
    assert found(rf64(90)) == Container(None)


@pytest.mark.parametrize(("magic", "number"), [(b".snd", be), (b"dns.", le)])
def test_an_au_file_without_a_length_is_told_to_have_none(
    found: Inspect, magic: bytes, number: Callable[[int], bytes]
) -> None:
    head = magic + number(28)
    assert found(head + bytes(4) + bytes(16) + b"x") == Container(
        None, no_length=True, patches={8: b"\xff" * 4}
    )
    assert found(head + number(1) + bytes(16) + b"x") == Container(None)
    assert found(head + bytes(4) + bytes(16)) == Container(None)  # there is no sound


def test_a_caf_file_that_is_cut_is_given_the_length_that_it_has(found: Inspect) -> None:
    def caf(says: int) -> bytes:
        return (
            b"caff" + bytes(4) + b"desc" + be(32, 8) + bytes(32) + b"data" + be(says, 8) + bytes(50)
        )

    assert found(caf(51)) == Container(None, cut=True, patches={56: be(50, 8)})
    assert found(caf(50)) == Container(None)
    assert found(caf((1 << 64) - 1)) == Container(None)


def test_an_aiff_file_that_is_cut_has_the_frames_of_its_header(found: Inspect) -> None:
    def aiff(says: int, kind: bytes = b"AIFF") -> bytes:
        comm = b"COMM" + be(18) + be(1, 2) + be(700) + bytes(12)
        return b"FORM" + bytes(4) + kind + comm + b"SSND" + be(says) + bytes(60)

    assert found(aiff(61)) == Container(700)
    assert found(aiff(61, b"AIFC")) == Container(700)
    assert found(aiff(60)) == Container(None)
    assert found(aiff(0)) == Container(None, no_length=True)


def test_an_avi_file_says_how_long_it_is(found: Inspect) -> None:
    for says, cut in ((100 + 64, False), (100 + 65, True)):
        assert found(b"RIFF" + le(says) + b"AVI " + bytes(96)) == Container(None, cut=cut)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\x00ab", b"RIFF", b"FORM1234ILBM", b"hello"]
)
def test_what_is_not_known_is_read_as_it_is(found: Inspect, content: bytes) -> None:
    assert found(content).as_it_is
    assert not found(content).cut


def test_what_libsndfile_logs_of_a_cut_file() -> None:
    assert is_cut("data : 4000 (should be 100)")
    assert is_cut("*** the file is truncated")
    assert not is_cut("data : 100 (should be 4000)")
    assert not is_cut("data : 164 (should be 100)")
    assert is_cut("a : 1 (should be 1)\n data : 165 (should be 100)")
    assert not is_cut(f"data : {0xFFFF_0000} (should be 100)")
    assert not is_cut(f"data : {0x7FFF_FFFF} (should be 100)")
    assert not is_cut(f"data : {1 << 62} (should be 100)")
