"""Hosts, and which addresses are public or may be allowed. tests/delivery has the calls."""

import pytest

from fleet.network import LOOPBACK_VARIABLE, host, is_allowable, is_public


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("Www.Example.COM", "www.example.com"),
        ("example.com.", "example.com."),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
    ],
)
def test_a_host_has_one_spelling(text: str, spelling: str) -> None:
    assert host(text) == spelling


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a..b",
        "bücher.example",
        "127.1",
        "0x7f.0.0.1",
        "127.0.0.1.",
        "fe80::1%eth0",
        "[127.0.0.1]",
        "[example.com]",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_anything_else_is_not_a_host(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host name or an IP address in its usual form"):
        host(text)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
        ),
        *(
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
        ),
        *(
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
        ),
        *("240.0.0.1", "255.255.255.255"),
        *(
            "::",
            "::1",
            "::7f00:1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
        ),
        *(
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
        ),
        *(
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "5f00::1",
        ),
        *(
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fe80::1%eth0",
            "fec0::1",
            "ff02::1",
            "2606:4700::1%eth0",
        ),
    ],
)
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
    ],
)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "8.8.8.8",
        ),
        *("fc00::1", "fd12::1", "2606:4700::1"),
    ],
)
def test_a_private_network_may_be_allowed(address: str) -> None:
    assert is_allowable(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fe80::1%eth0",
        ),
        *(
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
        ),
        *("::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "ff02::1"),
        *(
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "::169.254.169.254",
            "fe80::a9fe:a9fe",
        ),
    ],
)
def test_nobody_may_allow_addresses_that_give_out_credentials_or_are_not_private(
    address: str,
) -> None:
    assert not is_allowable(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.254", "::1"])
def test_loopback_may_be_allowed_only_where_the_environment_says_so(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_allowable(address)
    monkeypatch.setenv(LOOPBACK_VARIABLE, "1")
    assert is_allowable(address)
    assert not is_allowable("0.0.0.0")
