"""Build the template with sam, deploy it to the emulator, and bring later changes there quickly."""

import hashlib
import io
import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import FleetError
from tools.local import role_checks
from tools.local.account import Account
from tools.paths import BUILD, ROOT
from tools.running import locked
from tools.sandbox import isolated

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef

STACK = "fleet-local"
ARTIFACTS = "fleet-local-artifacts"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
LOCK = BUILD / "build.lock"
STAMP = BUILD / "built"

OUTPUT_LINES = 30
"""How many of the last lines of a failed command's output an error shows."""


def jobs() -> list[str]:
    """Return the names of all jobs: the folders in `functions/`."""
    handlers = (ROOT / "functions").glob("*/app.py")
    return sorted(handler.parent.name for handler in handlers)


def fingerprints() -> dict[str, str]:
    """Return a fingerprint of each source: the template, the layer (`shared`) and every job."""
    template = ROOT / "template.yaml"
    settings = ROOT / "samconfig.toml"
    digests = {}
    for job in jobs():
        folder = ROOT / "functions" / job
        digests[job] = _digest([folder])
    digests["shared"] = _digest([ROOT / "shared"])
    digests["template"] = _digest([template, settings])
    return digests


def build() -> bool:
    """Build the template and the layer; return False if that had been done already."""
    with locked(LOCK):
        sources = sorted(fingerprints().items())
        # The console's catalogue is made of the runbook too, which no function has in its folder.
        runbook = _digest([ROOT / "docs" / "operations.md"])
        stamp = str([*sources, runbook])
        if BUILT.exists() and STAMP.exists() and STAMP.read_text() == stamp:
            return False
        _sam("build", {})
        STAMP.write_text(stamp)
    return True


def deploy(account: Account) -> dict[str, str]:
    """Deploy what was built; return the fingerprints of what is deployed now.

    Raises `FleetError` when the deployment fails, or when AWS would have refused what the emulator
    accepted.
    """
    account.make_bucket(ARTIFACTS)
    with locked(LOCK, shared=True):
        deployed = fingerprints()
        try:
            _sam("deploy", account.environment)
        except FleetError:
            reasons = list(_reasons(account))
            if not reasons:
                raise
            heading = "sam could not deploy the template:"
            raise FleetError("\n".join([heading, *reasons])) from None
    role_checks.check(account)
    return deployed


def update(account: Account, deployed: Mapping[str, str]) -> list[str]:
    """Bring the code of changed sources into the running fleet; return their names.

    Only code is brought over in place. When the template changed, everything is built and deployed
    again.
    """
    now = fingerprints()
    changed = []
    for name, digest in now.items():
        if deployed.get(name) != digest:
            changed.append(name)
    same_sources = now.keys() == deployed.keys()
    if "template" in changed or not same_sources:
        build()
        deploy(account)
        return changed
    for name in changed:
        if name == "shared":
            _update_layer(account)
        else:
            _update_job(account, name)
    return changed


def _update_job(account: Account, job: str) -> None:
    source = ROOT / "functions" / job
    with _build_folder(source) as folder:
        account.lambda_.update_function_code(
            FunctionName=f"{STACK}-{job}",
            ZipFile=_zip(folder),
            Publish=False,
        )


def _update_layer(account: Account) -> None:
    functions = account.functions().values()
    with_layer = [function for function in functions if function.get("Layers")]
    name = _layer_name(with_layer)
    with _build_folder(ROOT / "shared") as folder:
        published = account.lambda_.publish_layer_version(
            LayerName=name,
            Content={"ZipFile": _zip(folder)},
        )
    for function in with_layer:
        account.lambda_.update_function_configuration(
            FunctionName=function["FunctionName"],
            Layers=[published["LayerVersionArn"]],
        )


def _layer_name(functions: "Iterable[FunctionConfigurationTypeDef]") -> str:
    """Return the name of the one layer that the functions have. Raises `FleetError`."""
    names = set()
    for function in functions:
        for layer in function["Layers"]:
            # arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION
            *_, name, _version = layer["Arn"].split(":")
            names.add(name)
    if len(names) != 1:
        raise FleetError(f"expected the fleet to have one layer; it has {sorted(names)}")
    return names.pop()


@contextmanager
def _build_folder(source: Path) -> Iterator[Path]:
    """Yield what sam would make of a folder: what its Makefile does, or the folder itself."""
    makefile = source / "Makefile"
    if not makefile.exists():
        yield source
        return
    target = _build_target(makefile)
    command = ["make", "-C", str(source), target]
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        _run(command, {"ARTIFACTS_DIR": scratch})
        yield Path(scratch)


def _build_target(makefile: Path) -> str:
    """Return the target that sam asks for, whose name ends with the function's logical id.

    Raises `FleetError` when the Makefile has none.
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
    """
    text = makefile.read_text()
    target = re.search(r"^(build-\w+):", text, re.MULTILINE)
    if target is None:
        raise FleetError(f"{makefile.relative_to(ROOT)} has no target build-<logical id>")
    return target[1]


def _sam(command: str, environment: Mapping[str, str]) -> None:
    sam = ROOT / ".venv" / "sam" / "bin" / "sam"
    _run([str(sam), command, "--config-env", "local"], environment)


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command in the root, with uv on its path; its output is shown only when it fails."""
    uv = ROOT / ".venv" / "uv" / "bin"
    path = os.environ.get("PATH", os.defpath)
    # sam leaves temporary directories behind.
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        process = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env={
                **isolated(os.environ),
                "PATH": f"{uv}{os.pathsep}{path}",
                "SAM_CLI_POLL_DELAY": "0.2",
                "TMPDIR": scratch,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if process.returncode:
        raise FleetError(_failure(process))


def _failure(process: subprocess.CompletedProcess[str]) -> str:
    """Return what to say of a failed process: its command, and the end of its output."""
    program, *arguments = process.args
    name = Path(program).name
    command = " ".join([name, *arguments])
    output = f"{process.stdout}{process.stderr}"
    lines = [line for line in output.splitlines() if line and "Uploading to" not in line]
    heading = f"`{command}` failed with exit code {process.returncode}:"
    last_lines = lines[-OUTPUT_LINES:]
    return "\n".join([heading, *last_lines])


def _reasons(account: Account) -> Iterator[str]:
    """Yield why resources of the stack failed, in the order in which they did."""
    cloudformation = account.cloudformation
    try:
        answer = cloudformation.describe_stack_events(StackName=STACK)
    except cloudformation.exceptions.ClientError:
        return
    for event in reversed(answer["StackEvents"]):
        failed = event["ResourceStatus"].endswith("FAILED")
        reason = event.get("ResourceStatusReason")
        if failed and reason:
            yield f"{event['LogicalResourceId']}: {reason}"


def _files(path: Path) -> list[Path]:
    """Return the path itself if it is a file, or the files below it; bytecode is left out."""
    candidates = [path, *path.rglob("*")]
    files = [file for file in candidates if file.is_file()]
    return sorted(file for file in files if file.suffix != ".pyc")


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for file in _files(path):
            name = file.relative_to(ROOT)
            content = file.read_bytes()
            heading = f"{name}\0{len(content)}\0"
            digest.update(heading.encode() + content)
    return digest.hexdigest()


def _zip(directory: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in _files(directory):
            name = file.relative_to(directory)
            archive.write(file, name)
    return buffer.getvalue()
