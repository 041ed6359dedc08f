"""What a measured process probes, and what it counts."""

from tools.develop import probe_load


def test_endpoints_are_one_server_under_many_paths() -> None:
    one, other = probe_load.endpoints("http://127.0.0.1:8080", 2)
    assert (str(one.target), one.path, other.path) == ("127.0.0.1:8080", "/0", "/1")


def test_services_are_one_server_many_times() -> None:
    listed = probe_load.services("https://127.0.0.1:8443", 3)
    assert [str(service) for service in listed] == ["127.0.0.1:8443"] * 3


def test_the_work_is_measured_round_by_round() -> None:
    done: list[str] = []
    used = probe_load.measure(lambda: done.append("once"), rounds=3)
    assert len(done) == 3
    assert used.keys() == {"cpu", "wall", "peak_mb"}
    assert used["peak_mb"] > 1
