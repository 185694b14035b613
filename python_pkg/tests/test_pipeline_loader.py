from __future__ import annotations

import gc
import linecache
import logging
import os
import py_compile
import sys
import weakref
from pathlib import Path

import pytest

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline import Pipeline
from poh_holdmetrics.pipeline.loading.loader import Loaded, LoadError, load
from poh_holdmetrics.pipeline.loading.specs import Spec, specs_from_text

HEAD = "from poh_holdmetrics import Pipeline\n"


def write(file: Path, text: str) -> Spec:
    file.write_text(text, encoding="utf-8")
    return Spec(file=file)


def called(loaded: Loaded, name: str) -> object:
    handlers = {each.name: each.function for each in loaded.pipelines[0].handlers}
    return handlers[name](None)


def answer_file(folder: Path, answer: str) -> Spec:
    """A pipeline whose job `ask` returns what its helper says."""
    (folder / "rules.py").write_text(f"ANSWER = {answer!r}\n", encoding="utf-8")
    return write(
        folder / "tiers.py",
        HEAD
        + 'import rules\npipeline = Pipeline("tiers")\n'
        + '@pipeline.every("1s")\ndef ask(ctx):\n    return rules.ANSWER\n',
    )


def test_all_pipelines_of_a_file_are_loaded_or_the_named_one(tmp_path: Path) -> None:
    spec = write(tmp_path / "two.py", HEAD + 'a = Pipeline("first")\nb = Pipeline("second")\nalias = a\n')
    assert [each.name for each in load(spec).pipelines] == ["first", "second"]
    named = load(Spec(file=spec.file, name="second"))
    assert [each.name for each in named.pipelines] == ["second"]
    with pytest.raises(LoadError, match=r'no pipeline is named "third"; there are first, second'):
        load(Spec(file=spec.file, name="third"))


@pytest.mark.parametrize(
    ("text", "name", "line", "words"),
    [
        ("x = = 1\n", "syntax", 1, "SyntaxError: invalid syntax"),
        ("x = 1\nif x:\n\ty = 1\n        z = 2\n", "syntax", 4, "TabError"),
        (HEAD + "import nowhere_at_all\n", "import", 2, "No module named 'nowhere_at_all'"),
        (HEAD + "\n1 / 0\n", "raised", 3, "ZeroDivisionError: division by zero"),
        (HEAD + "import sys\nsys.exit(3)\n", "raised", 3, "ends the process when it is loaded (exit code 3)"),
        (HEAD + "raise GeneratorExit\n", "raised", 2, "GeneratorExit"),
        (HEAD + "def f(): f()\nf()\n", "raised", 2, "RecursionError"),
        (HEAD + "p = Pipeline('a b')\n", "option", 2, 'name: not a name: "a b"'),
        (HEAD, "no-pipeline", None, "no Pipeline; write pipeline"),
        (HEAD + "a = Pipeline('x')\nb = Pipeline('x')\n", "duplicate-name", None, "2 pipelines are named x"),
        ("# coding: klingon\n", "syntax", 1, "unknown encoding"),
    ],
)
def test_whatever_is_wrong_is_one_sentence_with_file_and_line(
    tmp_path: Path, text: str, name: str, line: int | None, words: str
) -> None:
    spec = write(tmp_path / "tiers.py", text)
    with pytest.raises(LoadError) as caught:
        load(spec)
    error = caught.value
    assert (error.name, error.line) == (name, line)
    assert str(error).startswith(f"{spec.file}: ")
    assert words in str(error)
    assert "\n" not in str(error)


def test_a_file_that_is_not_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# one\n# caf\xe9\n")
    with pytest.raises(LoadError, match=r"latin.py: line 2: SyntaxError: not UTF-8 text \(byte 0xe9\)"):
        load(Spec(file=tmp_path / "latin.py"))
    with pytest.raises(LoadError, match=r"none.py: No such file or directory"):
        load(Spec(file=tmp_path / "none.py"))


@pytest.mark.skipif(os.name == "nt", reason="needs Unix")
def test_a_pipe_or_a_device_is_not_read(tmp_path: Path) -> None:
    """Reading it may never end."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    for name in ("pipe.py", "zero.py"):
        with pytest.raises(LoadError, match=f"{name}: is not a file"):
            load(Spec(file=tmp_path / name))


def test_the_traceback_is_the_whole_chain_and_has_only_the_operators_lines(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("def parse():\n    return int('x')\n", encoding="utf-8")
    text = "import rules\ntry:\n    rules.parse()\nexcept ValueError as e:\n    raise KeyError(1) from e\n"
    spec = write(tmp_path / "tiers.py", text)
    with pytest.raises(LoadError) as caught:
        load(spec)
    found = caught.value.traceback
    assert "return int('x')" in found
    assert "The above exception was the direct cause" in found
    assert "raise KeyError(1) from e" in found
    assert "poh_holdmetrics" not in found
    assert caught.value.line == 5


def test_stale_bytecode_is_never_executed(tmp_path: Path) -> None:
    spec = answer_file(tmp_path, "old")
    for file in (tmp_path / "rules.py", spec.file):
        py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    answer_file(tmp_path, "new")
    before = sorted(tmp_path.rglob("*.pyc"))
    assert len(before) == 2
    assert called(load(spec), "ask") == "new"
    for file in before:
        file.unlink()
    load(spec)
    assert not list(tmp_path.rglob("*.pyc"))


def test_helpers_belong_to_one_generation_of_one_pipeline(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, second = (load(answer_file(folder, folder.name)) for folder in folders)
    newer = load(answer_file(folders[0], "newer"), generation=2)
    assert [called(each, "ask") for each in (first, second, newer)] == ["a", "b", "newer"]
    assert "rules" not in sys.modules


def test_a_helper_imported_late_is_of_its_own_generation(tmp_path: Path) -> None:
    def late(answer: str) -> Spec:
        package = tmp_path / "lib"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text("from .inner import *\n", encoding="utf-8")
        (package / "inner.py").write_text(f"from . import deep\nANSWER = {answer!r}\n", encoding="utf-8")
        (package / "deep.py").write_text("import lib.inner as again\n", encoding="utf-8")
        return write(
            tmp_path / "tiers.py",
            HEAD
            + 'pipeline = Pipeline("tiers")\n@pipeline.every("1s")\ndef ask(ctx):\n'
            + "    import lib.inner\n    from lib import deep\n"
            + "    return lib.inner.ANSWER, lib.ANSWER, deep.again is lib.inner\n",
        )

    old = load(late("old"))
    new = load(late("new"), generation=2)
    assert called(old, "ask") == ("old", "old", True)
    assert called(new, "ask") == ("new", "new", True)
    assert old.digest != new.digest


def test_the_digest_covers_the_helpers(tmp_path: Path) -> None:
    first = load(answer_file(tmp_path, "a")).digest
    assert load(answer_file(tmp_path, "a")).digest == first
    assert load(answer_file(tmp_path, "b")).digest != first


def test_types_of_a_file_resolve_their_annotations(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        "from typing import ClassVar\nimport pydantic\n"
        "@dataclass\nclass Rule:\n    name: str\n    count: ClassVar[int] = 0\n"
        "    more: list[Rule] = field(default_factory=list)\n"
        "class Model(pydantic.BaseModel):\n    rule: Rule\n",
        encoding="utf-8",
    )
    text = HEAD + 'import typing\nfrom models import *\npipeline = Pipeline("x")\n'
    spec = write(
        tmp_path / "x.py", text + 'MADE = Model(rule=Rule("a"))\nHINTS = typing.get_type_hints(Rule)\n'
    )
    assert load(spec).pipelines[0].name == "x"


def test_a_failed_load_leaves_the_generation_before_as_it_was(tmp_path: Path) -> None:
    old = load(answer_file(tmp_path, "old"))
    module = sys.modules[f"{old.space.name}.tiers"]
    (tmp_path / "rules.py").write_text("raise ValueError\n", encoding="utf-8")
    with pytest.raises(LoadError):
        load(old.spec)
    assert sys.modules[f"{old.space.name}.tiers"] is module
    assert linecache.getline(str(tmp_path / "rules.py"), 1) == "ANSWER = 'old'\n"
    assert called(old, "ask") == "old"


def test_an_import_cycle_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("from tiers import pipeline\n", encoding="utf-8")
    spec = write(tmp_path / "tiers.py", HEAD + 'import rules\npipeline = Pipeline("x")\n')
    with pytest.raises(LoadError, match="partially initialized module"):
        load(spec)


def test_a_helper_does_not_replace_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise ValueError\n", encoding="utf-8")
    loaded = load(
        write(tmp_path / "tiers.py", HEAD + 'import json\njson.dumps(1)\npipeline = Pipeline("x")\n')
    )
    assert loaded.sources.ignored == (tmp_path / "json.py",)


def test_arguments_replace_defaults_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    spec = write(tmp_path / "x.py", HEAD + 'p = Pipeline("x", arguments={"url": "a", "top": "10"})\n')
    assert dict(load(spec, {"x": {"url": "b"}}).pipelines[0].arguments) == {"url": "b", "top": "10"}
    with pytest.raises(LoadError, match=r"x\.ulr: unknown argument of the pipeline; known are url"):
        load(spec, {"x": {"ulr": "b"}})


def test_many_reloads_keep_one_generation_in_memory(tmp_path: Path) -> None:
    spec = answer_file(tmp_path, "a")
    logging_line = "import logging\nlogging.getLogger(__name__)\n"
    spec.file.write_text(logging_line + spec.file.read_text("utf-8"), encoding="utf-8")
    loggers = logging.Logger.manager.loggerDict
    loaded = load(spec)
    counts = len(sys.modules), len(linecache.cache), len(loggers), len(sys.meta_path)
    generations: list[weakref.ref[Pipeline]] = []
    for generation in range(2, 60):
        newer = load(spec, generation=generation)
        loaded.drop()
        generations.append(weakref.ref(loaded.pipelines[0]))
        loaded = newer
    gc.collect()
    assert [each() for each in generations] == [None] * len(generations)
    assert (len(sys.modules), len(linecache.cache), len(loggers), len(sys.meta_path)) == counts
    loaded.drop()
    assert not [name for name in sys.modules if name.startswith(loaded.space.name)]


def test_a_folder_means_the_files_that_declare_a_pipeline(tmp_path: Path) -> None:
    write(tmp_path / "b.py", HEAD + 'p = Pipeline("b")\n')
    write(tmp_path / "a.py", 'import poh_holdmetrics.pipeline as hold\np: object = hold.Pipeline("a")\n')
    write(tmp_path / "broken.py", "x = = 1\n")
    write(tmp_path / "rules.py", "class Pipeline: ...\nPipeline()\n")
    for name in ("_private.py", "test_a.py"):
        write(tmp_path / name, HEAD + 'p = Pipeline("no")\n')
    assert [spec.file.name for spec in specs_from_text(str(tmp_path))] == ["a.py", "b.py", "broken.py"]


def test_what_names_no_pipeline_is_refused(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.py", "")
    assert specs_from_text(f"{spec.file}:tiers") == [Spec(file=spec.file, name="tiers")]
    assert specs_from_text(str(tmp_path / "later.py")) == [Spec(file=tmp_path / "later.py")]
    with pytest.raises(InputError, match="no name after the colon"):
        specs_from_text(f"{spec.file}:")
    with pytest.raises(InputError, match="is a folder; write the file"):
        specs_from_text(f"{tmp_path}:tiers")
    with pytest.raises(InputError, match=r"not a pipeline; write FILE.py"):
        specs_from_text("events.jsonl")
    with pytest.raises(InputError, match=r"pipeline: empty; write FILE.py"):
        specs_from_text("")
