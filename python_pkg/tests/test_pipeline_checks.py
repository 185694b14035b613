from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from conftest import PACKAGE, REPOSITORY
from poh_holdmetrics.pipeline.loading.checks import defects
from poh_holdmetrics.pipeline.loading.defects import Defect
from poh_holdmetrics.pipeline.loading.specs import Spec

HEAD = 'from poh_holdmetrics import Pipeline\npipeline = Pipeline("tiers")\n'
JOB = '@pipeline.every("1s")\ndef job(ctx): ...\n'
#: Modules that load files and refuse some of them.
#: Those that name defects.
_MODULES = (
    *(
        "loading/checks",
        "loading/decorator_checks",
        "loading/handler_checks",
        "loading/purity",
        "loading/loader",
    ),
    *("serving/in_process", "serving/served_file", "serving/staging"),
)
POLICY = "@pipeline.policy()\ndef tiers(segments):\n"


def checked(folder: Path, text: str) -> list[Defect]:
    file = folder / "tiers.py"
    file.write_text(text, encoding="utf-8")
    return defects(Spec(file=file))


@pytest.mark.parametrize(
    ("text", "name", "line", "words"),
    [
        (HEAD, "no-handlers", 2, "no function is registered on the pipeline tiers"),
        (HEAD + "@pipeline.on_batch\ndef a(batch, ctx): ...", "no-parentheses", 3, "@pipeline.on_batch()"),
        (HEAD + "@pipeline.every\ndef a(ctx): ...", "no-parentheses", 3, 'write @pipeline.every("10s")'),
        (HEAD + "@pipeline.on_evnt()\ndef a(e, ctx): ...", "unknown-decorator", 3, "@pipeline.on_event"),
        (HEAD + "@pipeline.sink(\n  btch=1)\ndef a(b, ctx): ...", "unknown-option", 4, "write batch"),
        (HEAD + "@pipeline.every()\ndef a(ctx): ...", "unknown-option", 3, "missing a required argument"),
        (HEAD + '@pipeline.every("soon")\ndef a(ctx): ...', "option", 3, "expected a duration"),
        (HEAD + "@pipeline.every(0)\ndef a(ctx): ...", "option", 3, "above 0"),
        (HEAD + '@pipeline.sink(\n\n  flush="-1s")\ndef a(b, ctx): ...', "option", 5, "flush: expected"),
        (HEAD + '@pipeline.sink("a/b")\ndef a(b, ctx): ...', "option", 3, 'not a name: "a/b"'),
        (HEAD + JOB + JOB, "option", 5, "the name job is taken"),
        (HEAD + '@pipeline.sink(on_error="x")\ndef a(b, ctx): ...', "option", 3, "known are log"),
        (HEAD + "@pipeline.on_batch()\ndef a(ctx, batch): ...", "signature", 4, "write def a(batch, ctx)"),
        (HEAD + "@pipeline.on_event()\nasync def a(e): ...", "signature", 4, "write async def a(event, ctx)"),
        (HEAD + '@pipeline.every("1s")\ndef a(ctx, n): ...', "signature", 4, "write def a(ctx)"),
        (HEAD + "@pipeline.source()\ndef a(ctx): yield 1", "signature", 4, "write def a(ctx, position)"),
        (HEAD + "@pipeline.source()\ndef a(ctx, position): ...", "source-yields-nothing", 4, "write yield"),
        (HEAD + '@pipeline.every("1s")\ndef a(ctx): yield', "yield-in-handler", 4, "remove yield"),
        (HEAD + JOB + "@pipeline.transform()\ndef a(i): ...", "transform-without-source", 2, "add a source"),
        (HEAD + "@pipeline.policy()\nasync def a(segments): ...", "async-not-possible", 4, "write def"),
        (
            HEAD + "@pipeline.on_event(blocking=True)\nasync def a(event, ctx): ...",
            *("async-and-blocking", 4, "remove blocking=True"),
        ),
        (HEAD + '@pipeline.on_event(token=" x*")\ndef a(event, ctx): ...', "pattern", 4, "for themselves"),
        (
            HEAD + '@pipeline.every("1s")\ndef a(ctx):\n    from time import sleep as nap\n    nap(1)',
            *("blocks-the-loop", 6, "a calls time.sleep"),
        ),
        (HEAD + JOB + 'b = Pipeline("b", isolation="process")', "mixed-isolation", 2, "files of their own"),
        (
            'from poh_holdmetrics import Pipeline as P\nb = P("b", isolation=str("none"))\n',
            *("isolation-not-literal", 2, 'write isolation="process"'),
        ),
        ("x = = 1", "syntax", 1, "SyntaxError"),
        (HEAD + "import nowhere_at_all", "import", 3, "install the package"),
        (HEAD + "1 / 0", "raised", 3, "ZeroDivisionError"),
        ("", "no-pipeline", None, 'write pipeline = Pipeline("name")'),
    ],
)  # fmt: skip
def test_each_defect_has_a_name_a_line_and_a_cure(
    tmp_path: Path, text: str, name: str, line: int | None, words: str
) -> None:
    found = checked(tmp_path, text)
    assert (name, line) in [(each.name, each.line) for each in found], found
    defect = next(each for each in found if each.name == name)
    assert words in str(defect)
    assert defect.cure
    assert str(defect).startswith(str(tmp_path / "tiers.py"))
    assert defect.as_json()["line"] == line


@pytest.mark.skipif(sys.version_info < (3, 14), reason="def evaluates annotations before Python 3.14")
def test_annotations_may_name_what_only_type_checkers_import(tmp_path: Path) -> None:
    text = (
        HEAD + "import typing\nif typing.TYPE_CHECKING:\n    from poh_holdmetrics.pipeline import Batch\n"
        "@pipeline.on_batch()\ndef follow(batch: Batch, ctx): ...\n"
    )
    assert checked(tmp_path, text) == []
    found = checked(tmp_path, text.replace("ctx)", "ctx, more: Batch)"))
    assert [(each.name, each.line) for each in found] == [("signature", 7)]


def test_all_defects_of_a_file_are_found_at_once(tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        HEAD
        + "@pipeline.on_batch\ndef a(batch, ctx): ...\n"
        + '@pipeline.every("soon")\ndef b(ctx): ...\n'
        + "@pipeline.sink(batch=0)\ndef c(batch, ctx): ...\n",
    )
    assert [(each.name, each.line) for each in found] == [("no-parentheses", 3), ("option", 5), ("option", 7)]


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("    import time\n    return {'a': int(time.time())}", 7, "reads the clock by time.time"),
        ("    return {'a': datetime.now().year}", 6, "reads the clock by datetime.now"),
        ("    return {'a': dt.date.today().year}", 6, "reads the clock by dt.date.today"),
        ("    return {'a': random.randint(1, 2)}", 6, "reads random numbers by random.randint"),
        ("    return {'a': len(open('x').read())}", 6, "reads files or the system by open"),
        ("    import os\n    return {'a': len(os.environ)}", 7, "reads files or the system by os.environ"),
        ("    from urllib.request import urlopen\n    urlopen('x')", 7, "reads the network by urlopen"),
        ("    return {'a': hash('x')}", 6, "a number that differs between processes by hash"),
        ("    global SEEN\n    SEEN = {}", 6, "changes SEEN"),
        ("    return SEEN", 6, "reads SEEN, which the file changes"),
        ("    return helped()", 8, "reads the clock by time.monotonic"),
        ("    return rules.helped()", 3, "reads random numbers by random.random"),
    ],
)
def test_a_policy_that_is_not_pure_is_found(tmp_path: Path, body: str, line: int, words: str) -> None:
    (tmp_path / "rules.py").write_text("import random\ndef helped():\n    return random.random()\n", "utf-8")
    head = HEAD.replace("\n", "; import random, rules, datetime as dt; from datetime import datetime\n", 1)
    rest = "\ndef helped():\n    import time; return time.monotonic()\n"
    found = checked(tmp_path, head + "SEEN = {}\n" + POLICY + body + rest + "def later(): SEEN['a'] = 1\n")
    assert {each.name for each in found} == {"policy-not-pure"}
    assert [each.line for each in found if words in str(each)] == [line], found


def test_a_policy_of_its_segments_and_constants_is_pure(tmp_path: Path) -> None:
    text = (
        HEAD
        + "from fractions import Fraction\nfrom datetime import datetime, timezone\nimport hashlib, math\n"
        + "TIERS = {'a': 1}\nTIERS['b'] = 2\nSTART = datetime(2026, 1, 1, tzinfo=timezone.utc)\n"
        + "def share(a, b):\n    return Fraction(a, b)\n"
        + POLICY
        + "    sums = {}\n    for each in segments.holder_id:\n        sums[each] = share(TIERS['a'], 2)\n"
        + "    sums.update(a=math.gcd(4, 2), b=int(START.timestamp()))\n    return sums\n"
    )
    assert checked(tmp_path, text) == []


def test_a_file_in_order_has_no_defect(tmp_path: Path) -> None:
    text = (
        HEAD
        + '@pipeline.on_batch(token="punk/*")\ndef follow(batch, ctx): ...\n'
        + '@pipeline.on_event(holder="0x*", blocking=True)\n'
        + "def greet(event, ctx):\n    import time; time.sleep(1)\n"
        + '@pipeline.every("10s", jitter=0.1, overlap="skip")\nasync def publish(ctx): ...\n'
        + '@pipeline.sink("archive", batch=500, flush="1s", retries=3)\nasync def archive(*arguments): ...\n'
        + '@pipeline.before_accept(budget="2ms")\ndef check(batch, ctx, extra=None): ...\n'
        + '@pipeline.source("listing", every="1h")\nasync def listing(ctx, position):\n    yield 1, 2\n'
        + "@pipeline.transform()\ndef marks(item): return [item]\n"
        + "WAIT = 5\n@pipeline.every(WAIT)\ndef other(ctx): ...\n"
    )
    assert checked(tmp_path, text) == []


def test_a_helper_that_the_standard_library_hides_is_named(tmp_path: Path) -> None:
    (tmp_path / "token.py").write_text("", encoding="utf-8")
    found = checked(tmp_path, HEAD + JOB + "import token\n")
    assert [(each.name, each.file.name) for each in found] == [("helper-ignored", "token.py")]


def test_every_defect_is_documented() -> None:
    document = REPOSITORY / "docs" / "pipeline-checks.md"
    if not document.is_file():
        pytest.skip("the documentation is not beside the package")
    named = set()
    for module in _MODULES:
        text = (PACKAGE / "pipeline" / f"{module}.py").read_text("utf-8")
        named |= set(re.findall(r'(?:\bname=|_defect\(\s*)"([a-z]+(?:-[a-z]+)*)"', text))
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", document.read_text("utf-8"), re.MULTILINE))
    assert {"syntax", "signature", "policy-not-pure", "name-taken", "slow"} <= named
    assert named - listed == set()
    assert listed - named == {"import", "raised"}  # chosen by the exception
