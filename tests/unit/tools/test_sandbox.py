"""A process in the sandbox reaches no AWS account of its user."""

from tools.sandbox import ACCESS_KEY, isolated


def test_the_users_own_account_and_proxies_are_out_of_reach() -> None:
    environment = isolated(
        {"AWS_PROFILE": "prod", "AWS_ACCESS_KEY_ID": "AKIA1", "PATH": "/bin", "no_proxy": ""}
    )
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] == ACCESS_KEY
    assert environment["PATH"] == "/bin"
    assert "127.0.0.1" in environment["no_proxy"]
