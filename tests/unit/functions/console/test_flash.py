from fleet_console import flash
from fleet_console.flash import Flash


def test_a_flash_fits_a_cookie_and_is_read_from_it() -> None:
    sent = Flash(
        "Dead letters: 900 kept.",
        tuple(f"letter {place} stays: ünfit" * 3 for place in range(900)),
        good=False,
    )

    cookie = sent.encode()

    assert len(cookie) <= flash.COOKIE_CHARACTERS
    read = Flash.decode(cookie)
    assert read is not None
    assert read.items[-1].endswith("more")
    assert Flash.decode("nonsense") is None
    assert Flash.decode("WzFd") is None
