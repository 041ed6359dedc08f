"""The figures of the benchmark, without probing anything."""

from tools.develop.bench_probes import Kind, exporter_targets, row

HTTP = Kind("failing_endpoints http", "failing_endpoints", "http://127.0.0.1:8080", "http")
TCP = Kind("expiring_certificates", "expiring_certificates", "https://127.0.0.1:8443", "tcp")


def test_a_row_has_probes_for_each_second() -> None:
    used = {"cpu": 2.0, "wall": 4.0, "peak_mb": 41.26}
    assert row(HTTP, "fleet", count=10, rounds=100, used=used) == {
        "probe": "failing_endpoints http",
        "prober": "fleet",
        "targets": 10,
        "per_cpu_second": 500,
        "per_second": 250,
        "peak_mb": 41.3,
    }


def test_the_exporter_probes_the_same_targets() -> None:
    assert exporter_targets(HTTP, 2) == ["http://127.0.0.1:8080/0", "http://127.0.0.1:8080/1"]
    assert exporter_targets(TCP, 2) == ["127.0.0.1:8443", "127.0.0.1:8443"]
