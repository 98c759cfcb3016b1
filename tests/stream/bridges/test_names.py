import pytest

from mmgat.stream.bridges.names import identifier, mqtt_part, osc_part


@pytest.mark.parametrize(
    ("name", "osc", "mqtt", "plain"),
    [
        ("Scarlett 2i2 1", "Scarlett_2i2_1", "Scarlett_2i2_1", "scarlett_2i2_1"),
        ("Bühne/links #1", "Buhne_links__1", "Bühne_links__1", "buhne_links_1"),
        ("", "_", "_", "_"),
    ],
)
def test_a_name_is_written_in_the_letters_that_each_protocol_has(
    name: str, osc: str, mqtt: str, plain: str
) -> None:
    assert (osc_part(name), mqtt_part(name), identifier(name)) == (osc, mqtt, plain)


@pytest.mark.parametrize("part", [osc_part, mqtt_part, identifier])
def test_names_that_are_not_latin_differ(part) -> None:  # type: ignore[no-untyped-def]
    names = ("Микрофон", "Барабаны", "マイク", "舞台", "♫")
    assert len({part(f"mmgat {name}") for name in names}) == len(names)
    assert part(names[0]) == part(names[0])
