"""Addresses of stores: which pipeline each becomes, what is refused, and that no text shows a password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pipeline.serving.stores import StoreSpec, check, specs_from_addresses


def spec(address: str) -> StoreSpec:
    (found,) = specs_from_addresses([address])
    return found


def test_a_name_does_not_depend_on_the_password_or_the_options() -> None:
    plain = spec("mongodb://db1:27017/scores")
    assert plain.name.startswith("store-mongodb-scores-")
    assert plain.label == "mongodb://db1:27017/scores"
    for same in ("mongodb://ann:secret@db1:27017/scores", "mongodb://db1:27017/scores?tls=true"):
        assert (spec(same).name, spec(same).label) == (plain.name, plain.label)
    for other in ("mongodb://db2:27017/scores", "mongodb://db1:27017/other", "mongodb+srv://db1/scores"):
        assert spec(other).name != plain.name


def test_a_file_is_known_by_its_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = spec("sqlite:///events.db")
    assert relative.label == f"sqlite:///{tmp_path}/events.db"
    assert relative.name == spec(f"sqlite:///{tmp_path}/events.db").name
    assert relative.name.startswith("store-sqlite-events-")


def test_mongodb_alone_means_the_published_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URL", "mongodb://ann:secret@db1/scores")
    assert spec("mongodb://") == spec("mongodb://ann:secret@db1/scores")
    monkeypatch.setenv("MONGODB_URL", "sqlite:///events.db")
    with pytest.raises(InputError, match=r"^serve.store: MONGODB_URL: expected an address"):
        spec("mongodb://")


def test_a_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "poh_holdmetrics.storage.mongodb", raising=False)
    monkeypatch.setitem(sys.modules, "pymongo", None)
    cure = r"^serve.store: mongodb://db1: mongodb needs pymongo; pip install 'poh-holdmetrics\[mongodb\]'$"
    with pytest.raises(InputError, match=cure):
        check(["mongodb://ann:secret@db1"])


@pytest.mark.parametrize(
    ("addresses", "sentence"),
    [
        (["memory://"], "serve.store: memory:// would keep a second copy"),
        (["redis://ann:secret@db1"], "serve.store: redis://db1: unknown storage"),
        (["sqlite://events.db"], "expected sqlite:///PATH"),
        (["mongodb://ann:se/cret@db1/scores"], "write / ? # and @ in it as %2F"),
        (["mongodb://ann:se?cret@db1"], "write / ? # and @ in it as %2F"),
        (["mongodb://ann:se@cret@db1"], "serve.store: mongodb://db1: not an address of MongoDB"),
        (["mongodb://db1", "mongodb://ann:secret@db1/"], "mongodb://db1 is named twice"),
    ],
)
def test_what_cannot_be_used_is_refused_without_its_password(addresses: list[str], sentence: str) -> None:
    if "not an address" in sentence:
        pytest.importorskip("pymongo", reason="no pymongo: pip install 'poh-holdmetrics[mongodb]'")
    with pytest.raises(InputError) as refused:
        check(addresses)
    assert sentence in str(refused.value)
    assert "cret" not in str(refused.value)
    assert "cret" not in repr(specs_from_addresses(["mongodb://ann:secret@db1"]))
