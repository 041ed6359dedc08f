import pytest

from fleet_console import paging
from fleet_console.problems import Invalid


@pytest.mark.parametrize("place", [None, ["a", "b"], {"at": "ü", "id": ""}, "x" * 100])
def test_a_cursor_leads_back_to_its_place(place: object) -> None:
    cursor = paging.encode(place)

    assert cursor.isascii()
    assert "=" not in cursor
    assert paging.decode(cursor) == place


@pytest.mark.parametrize("text", ["", "%00", "ü", "W", paging.encode("x")[:-1]])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="not a cursor of this list"):
        paging.decode(text)


@pytest.mark.parametrize("place", [[], {"at": "1"}, {"at": "1", "id": 2}, {"at": "1", "ID": "2"}])
def test_a_cursor_of_another_list_is_refused(place: object) -> None:
    with pytest.raises(Invalid, match="belongs to another list"):
        paging.decode_fields(paging.encode(place), "at", "id")
