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


def jobs() -> list[str]:
    """Return the names of all jobs: the folders in `functions/`."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def fingerprints() -> dict[str, str]:
    """Return a fingerprint of each source: the template, the layer (`shared`) and every job."""
    sources = {job: [ROOT / "functions" / job] for job in jobs()}
    sources["shared"] = [ROOT / "shared"]
    sources["template"] = [ROOT / "template.yaml", ROOT / "samconfig.toml"]
    return {name: _digest(paths) for name, paths in sources.items()}


def build() -> bool:
    """Build the template and the layer; return False if that had been done already."""
    with locked(LOCK):
        # The console's catalogue is made of the runbook too, which is no source of a function.
        wanted = str([*sorted(fingerprints().items()), _digest([ROOT / "docs" / "operations.md"])])
        if BUILT.exists() and STAMP.exists() and STAMP.read_text() == wanted:
            return False
        _sam("build", {})
        STAMP.write_text(wanted)
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
            if reasons := "\n".join(_reasons(account)):
                raise FleetError(f"sam could not deploy the template:\n{reasons}") from None
            raise
    role_checks.check(account)
    return deployed


def update(account: Account, deployed: Mapping[str, str]) -> list[str]:
    """Bring the code of changed sources into the running fleet; return their names.

    Only code is brought over in place. When the template changed, everything is built and deployed
    again.
    """
    now = fingerprints()
    changed = [name for name, digest in now.items() if deployed.get(name) != digest]
    if "template" in changed or set(now) != set(deployed):
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
    with _built(ROOT / "functions" / job) as folder:
        account.lambda_.update_function_code(
            FunctionName=f"{STACK}-{job}",
            ZipFile=_zipped(folder),
            Publish=False,
        )


def _update_layer(account: Account) -> None:
    functions = account.functions().values()
    with_layer = [function for function in functions if function.get("Layers")]
    name = _layer_name(with_layer)
    with _built(ROOT / "shared") as folder:
        published = account.lambda_.publish_layer_version(
            LayerName=name,
            Content={"ZipFile": _zipped(folder)},
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
            name, _version = layer["Arn"].split(":")[-2:]
            names.add(name)
    if len(names) != 1:
        raise FleetError(f"expected the fleet to have one layer; it has {sorted(names)}")
    return names.pop()


@contextmanager
def _built(source: Path) -> Iterator[Path]:
    """Yield what sam would make of a folder: what its Makefile does, or the folder itself."""
    makefile = source / "Makefile"
    if not makefile.exists():
        yield source
        return
    # The target's name ends with the logical id, as sam asks.
    target = re.search(r"^(build-\w+):", makefile.read_text(), re.MULTILINE)
    if target is None:
        raise FleetError(f"{makefile.relative_to(ROOT)} has no target build-<logical id>")
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        _run(["make", "-C", str(source), target[1]], {"ARTIFACTS_DIR": scratch})
        yield Path(scratch)


def _sam(command: str, environment: Mapping[str, str]) -> None:
    _run([str(ROOT / ".venv/sam/bin/sam"), command, "--config-env", "local"], environment)


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command in the root, with uv on its path; its output is shown only when it fails."""
    path = f"{ROOT / '.venv/uv/bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    own = {"PATH": path, "SAM_CLI_POLL_DELAY": "0.2"}
    # sam leaves temporary directories behind.
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env={**isolated(os.environ), **own, "TMPDIR": scratch, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        program, *arguments = command
        shown = " ".join([Path(program).name, *arguments])
        lines = f"{done.stdout}{done.stderr}".splitlines()
        said = [line for line in lines if line and "Uploading to" not in line]
        heading = f"`{shown}` failed with exit code {done.returncode}:"
        raise FleetError("\n".join([heading, *said[-30:]]))


def _reasons(account: Account) -> Iterable[str]:
    try:
        events = account.cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    except account.cloudformation.exceptions.ClientError:
        return
    for event in reversed(events):
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason"):
            yield f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"


def _files(path: Path) -> list[Path]:
    """Return the path itself if it is a file, or the files below it; bytecode is left out."""
    candidates = [path, *path.rglob("*")]
    return sorted(file for file in candidates if file.is_file() and file.suffix != ".pyc")


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for file in _files(path):
            content = file.read_bytes()
            heading = f"{file.relative_to(ROOT)}\0{len(content)}\0"
            digest.update(heading.encode() + content)
    return digest.hexdigest()


def _zipped(directory: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in _files(directory):
            archive.write(file, file.relative_to(directory))
    return buffer.getvalue()
