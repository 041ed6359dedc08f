"""Measure the console's cold start: CPU time from the interpreter's start to the first response.

Each round runs three things in fresh processes: a handler that does nothing, a Flask application
that does nothing behind the same adapter, and the console. What Lambda's runtime costs is in all
three.
"""

import argparse
import statistics

from tools.develop.bench import cpu_seconds

ASK = """
import json, os, pathlib, sys, types
sys.stdout = open(os.devnull, "w")  # it writes its metrics there
event = json.loads(pathlib.Path("../../tests/events/console.json").read_text())
context = types.SimpleNamespace(
    function_name="console", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="id"
)
assert handler(event, context)["statusCode"] == 200
"""
HANDLERS = {
    "bare handler": "def handler(event, context): return {'statusCode': 200}\n",
    "bare Flask": """
from apig_wsgi import make_lambda_handler
from flask import Flask
app = Flask("bare")
app.get("/v1/live")(lambda: {"status": "pass"})
handler = make_lambda_handler(app)
""",
    "console": "import os; os.environ['STAGE'] = 'bench'\nfrom app import handler\n",
}


def main() -> None:
    """Print the median times, and how many times longer the console takes than each floor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=9, help="fresh processes for each figure (default: 9)"
    )
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {name: [] for name in HANDLERS}
    for number in range(rounds + 1):
        for name, code in HANDLERS.items():
            seconds = cpu_seconds(code + ASK, "console")
            if number:  # the first round fills the caches of compiled modules
                taken[name].append(seconds)
    print(f"the console's time to its first response, CPU, median of {rounds}")
    for floor in ("bare handler", "bare Flask"):
        rounds_of_both = zip(taken["console"], taken[floor], strict=True)
        ratio = statistics.median(own / bare for own, bare in rounds_of_both)
        bare = statistics.median(taken[floor]) * 1000
        own = statistics.median(taken["console"]) * 1000
        print(f"{floor:<14} {bare:>5.0f} ms   console {own:>5.0f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
