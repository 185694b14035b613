"""Exports of chains under their own columns, and the files beside them.

Each file gives the scores, or the sentence, that the binary gives for it; native code reads the same files if
there is some.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from poh_holdmetrics import cli, score
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.libraries import library, pyarrow

pa = pyarrow()
pq = library("pyarrow.parquet", "a Parquet file", "frames")

AS_OF = "2021-05-03T00:00:00Z"
NONE, A, B = f"0x{'0' * 40}", f"0x{'0' * 38}aa", f"0x{'0' * 38}bb"
GOLD = f"0x{'0' * 36}9999"
ETL = "token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n"
#: 3 mint, 1 of them given on a day later, and delivered twice.
ETL_ROWS = (
    f"{GOLD},{NONE},{A},3000000,0x01,0,1\n{GOLD},{A},{B},1000000,0x02,3,2\n{GOLD},{A},{B},1000000,0x02,3,2\n"
)
EXPLORER = '"Transaction Hash","Blockno","UnixTimestamp","DateTime (UTC)","From","To","Quantity","Method"\n'
STAKING = "user,amount,event,timestamp,txHash\n"
LOGS = "removed,address,topic0,topic1,topic2,topic3,data,transaction_hash,log_index,block_number\n"
DUNE_NFT = "block_time,tx_hash,evt_index,from,to,contract_address,token_id,amount,token_standard\n"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
ERC20 = {"token_kind": "erc20", "decimals": 6}
BOTH = {A: "432000", B: "86400"}


def word(*numbers: int) -> str:
    return "0x" + "".join(f"{number:064x}" for number in numbers)


def alchemy(**changed: Any) -> dict[str, Any]:
    return {
        "blockNum": "0x1",
        "uniqueId": "0x01:log:0",
        "hash": "0x01",
        "from": NONE,
        "to": A,
        "value": 5.0,
        "asset": "GLD",
        "category": "erc20",
        "rawContract": {"value": "0x4c4b40", "address": GOLD, "decimal": "0x6"},
        "metadata": {"blockTimestamp": "2021-05-01T00:00:00.000Z"},
        **changed,
    }


#: More than what is looked at to find the form of a file.
MANY = alchemy(
    category="erc1155",
    erc1155Metadata=[{"tokenId": hex(number), "value": "0xf4240"} for number in range(3000)],
)
ETL_NAMES: list[str] = ETL.strip().split(",")
ETL_LINES = [
    json.dumps({ETL_NAMES[index]: cell for index, cell in enumerate(row.split(","))})
    for row in ETL_ROWS.split()
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "blocks.csv").write_text("number,timestamp\n1,1619827200\n2,1619913600\n")
    (tmp_path / "blocks.jsonl").write_text(
        '{"number":"0x1","timestamp":"0x608c9a00"}\n{"number":2,"timestamp":1619913600}'
    )
    (tmp_path / "decimals.csv").write_text(f"token_address,decimals\n{GOLD},6\n")
    (tmp_path / "two.csv").write_text("number,timestamp\n1,1\n1,2\n")
    return tmp_path


def _read(folder: Path, name: str, text: str, options: dict[str, Any]) -> dict[str, str]:
    file = folder / name
    file.write_text(text)
    files = ("blocks", "decimals_file")
    given = {key: folder / value if key in files else value for key, value in options.items()}
    return {row[1]: row[3] for row in score(file, AS_OF, **given).rows()}


@pytest.mark.parametrize(
    ("name", "text", "options", "expected"),
    [
        ("a.csv", ETL + ETL_ROWS, {**ERC20, "blocks": "blocks.csv"}, BOTH),
        (
            "a.csv",
            (ETL + ETL_ROWS).replace(",3000000,", ",0x2dc6c0,"),
            {**ERC20, "blocks": "blocks.jsonl"},
            BOTH,
        ),
        (
            "a.csv",
            ETL + ETL_ROWS,
            {"token_kind": "erc20", "decimals_file": "decimals.csv", "blocks": "blocks.csv"},
            BOTH,
        ),
        ("a.jsonl", "\n".join(ETL_LINES), {**ERC20, "blocks": "blocks.csv"}, BOTH),
        ("a.json", f'{{"rows": [{",".join(ETL_LINES)}]}}', {**ERC20, "blocks": "blocks.csv"}, BOTH),
        (
            "a.csv",
            (
                f"{ETL.strip()},block_timestamp,block_hash\n"
                f"{GOLD},{NONE},{A},5000000,0x01,0,1,2021-05-01 00:00:00 UTC,0xb\n"
            ),
            ERC20,
            {A: "864000"},
        ),
        (
            "a.csv",
            f"{ETL.replace('block_number', 'block_timestamp')}{GOLD},{NONE},{A},5000000,0x01,0,1619827200\n",
            {"input_format": "spice", "decimals": 6},
            {A: "864000"},
        ),
        (
            "a.csv",
            (
                f"erc20,from_address,to_address,value_string,value_f64,tx_hash,log_index,block_number\n"
                f"{GOLD},{NONE},{A},5,5.0,0x01,0,1\n"
            ),
            {"blocks": "blocks.csv"},
            {A: "864000"},
        ),
        (
            "a.csv",
            (
                f"{LOGS}false,{GOLD},{TRANSFER},{word(0)},{word(0xAA)},,{word(5)},0x01,0,1\n"
                f"true,{GOLD},{TRANSFER},{word(0)},{word(0xBB)},,{word(5)},0x02,0,1\n"
                f"false,{GOLD},{word(9)},{word(0)},{word(0xBB)},,{word(5)},0x02,1,1\n"
                f"false,{GOLD},{TRANSFER},{word(0)},{word(0xBB)},{word(7)},0x,0x03,1,2\n"
            ),
            {"blocks": "blocks.csv"},
            {A: "864000", B: "86400"},
        ),
        (
            "a.csv",
            (
                f"{LOGS}false,{GOLD},{BATCH},{word(1)},{word(0)},{word(0xAA)},"
                f"{word(0x40, 0xA0, 2, 7, 8, 2, 1, 255)},0x01,0,1\n"
            ),
            {"blocks": "blocks.csv"},
            {A: "44236800"},
        ),
        (
            "a.csv",
            (
                f"{DUNE_NFT}2021-05-01 00:00:00,0x01,0,{NONE},{A},{GOLD},7,1,erc721\n"
                f"2021-05-01 00:00:00,0x01,1,{NONE},{A},{GOLD},8,3,erc1155\n"
            ),
            {},
            {A: "691200"},
        ),
        (
            "a.csv",
            (
                f"token_address,from_address,to_address,raw_amount,raw_amount_str,transaction_hash,log_index,"
                f"block_timestamp,unique_id\n{GOLD},{NONE},{A},5e6,5000000,0x01,0,2021-05-01 00:00:00,u1\n"
            ),
            {"decimals": 6},
            {A: "864000"},
        ),
        (
            "a.csv",
            EXPLORER
            + f'"0x01","1","1619827200","2021-05-01 00:00:00","{NONE}","{A}","1,234.5","mint"\n'
            + f'"0x02","2","1619913600","2021-05-02 00:00:00","{A}","{B}","100","t"\n' * 2,
            {"token": "gold"},
            {A: "196041600", B: "17280000"},
        ),
        ("a.jsonl", json.dumps(alchemy()), {}, {A: "864000"}),
        ("a.jsonl", json.dumps(MANY), {}, {A: "518400000"}),
        ("a.json", json.dumps({"result": {"transfers": [MANY]}}, indent=1), {}, {A: "518400000"}),
        (
            "a.csv",
            (
                f"{STAKING}{A},5000000,Staked,1619827200,0x1\n{A},2000000,Withdrawn,1619913600,0x2\n"
                f"{B},1,RewardPaid,1619913600,0x3\n"
            ),
            {"token": "s", "decimals": 6},
            {A: "691200"},
        ),
        (
            "a.csv",
            f"from,to,value,block,tx_hash\nNULL,{A},5,1,0x01\n",
            {"input_format": "transfers", "token_kind": "erc20", "blocks": "blocks.csv", "null": ["NULL"]},
            {A: "864000"},
        ),
        ("a.csv", "token_id,holder_id,start,end\nT,a,1,2\n", {"blocks": "blocks.csv"}, {"a": "86400"}),
        (
            "a.csv",
            f"token_id,holder_id,start,end,weight\n{GOLD},a,1619827200000,1619913600000,5000000\n",
            {"decimals_file": "decimals.csv"},
            {"a": "432000"},
        ),
    ],
)
def test_a_feed_is_read_as_it_lies(
    name: str, text: str, options: dict[str, Any], expected: dict[str, str], folder: Path
) -> None:
    assert _read(folder, name, text, options) == expected


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            ETL + ETL_ROWS,
            {},
            "read as ethereum-etl: it has the numbers of blocks, but no times; add --blocks FILE",
        ),
        (
            ETL + ETL_ROWS,
            {"blocks": "blocks.csv"},
            "say which with --token-kind erc20 or --token-kind erc721",
        ),
        (
            ETL + ETL_ROWS,
            {"blocks": "blocks.csv", "token_kind": "erc1155"},
            "it has no numbers of tokens beside the amounts",
        ),
        (
            (ETL + ETL_ROWS).replace(",2\n", ",7\n"),
            {**ERC20, "blocks": "blocks.csv"},
            "line 3: at: block 7 is not in ",
        ),
        (
            (ETL + ETL_ROWS).replace(",3000000,", ",3e6,"),
            {**ERC20, "blocks": "blocks.csv"},
            'line 2: amount: "3e6" is not a whole number of base units',
        ),
        (
            (ETL + ETL_ROWS).replace(GOLD, A),
            {"token_kind": "erc20", "decimals_file": "decimals.csv", "blocks": "blocks.csv"},
            "or give --decimals",
        ),
        (ETL + ETL_ROWS, {**ERC20, "blocks": "two.csv"}, "block 1 has two times, 1970-01-01T00:00:01Z and"),
        (ETL + ETL_ROWS, {**ERC20, "blocks": "decimals.csv"}, "no column number or block_number or"),
        (
            f"{ETL.strip()},block_timestamp,block_hash\n{GOLD},{NONE},{A},5,0x01,0,1,1619827200000,0xb\n",
            ERC20,
            'line 2: at: out of range (years 0001 to 9999, UTC); found "1619827200000"',
        ),
        (
            f"erc20,from_address,to_address,value_f64,tx_hash,log_index,block_number\n{GOLD},{NONE},{A},5.0,1,0,1\n",
            {"blocks": "blocks.csv"},
            "column value_f64 has doubles, which do not hold all digits; export value_string or value_binary",
        ),
        (
            f'{EXPLORER}"1","1","1619827200","","{NONE}","{A}","1,5","m"\n',
            {},
            'line 2: amount: not a number (write a decimal like 1.5); found "1,5"',
        ),
        (
            f"{LOGS}false,{GOLD},{TRANSFER},{word(0)},{word(0xAA)},,0x12,0x01,0,1\n",
            {"blocks": "blocks.csv"},
            "line 2: amount: data is not words of 32 bytes",
        ),
        (f"from,to,value,block,tx_hash\n{NONE},{A},5,1,0x01\n", {}, 'column "from": did you mean from_id?'),
    ],
)
def test_what_a_feed_lacks_is_said_with_its_cure(
    text: str, options: dict[str, Any], words: str, folder: Path
) -> None:
    with pytest.raises(InputError) as refused:
        _read(folder, "a.csv", text, options)
    assert words in str(refused.value)


def test_binary_columns_of_a_feed_are_addresses(folder: Path) -> None:
    def raw(text: str) -> bytes:
        return bytes.fromhex(text.removeprefix("0x"))

    table = pa.table(
        {
            "erc20": [raw(GOLD)],
            "from_address": [raw(NONE)],
            "to_address": [bytes(12) + raw(A)],
            "value_binary": [(5).to_bytes(32)],
            "value_f64": [5.0],
            "transaction_hash": [b"\1" * 32],
            "log_index": pa.array([0], pa.uint32()),
            "block_number": pa.array([1], pa.uint32()),
        }
    )
    pq.write_table(table, folder / "a.parquet")
    result = score(folder / "a.parquet", AS_OF, blocks=folder / "blocks.csv")
    assert [(row[1], row[3]) for row in result.rows()] == [(A, "864000")]


def test_the_command_reads_feeds_and_mapping_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.csv").write_text(ETL + ETL_ROWS)
    (folder / "m.toml").write_text('[input]\ndecimals = 6\nblocks = "blocks.csv"\n')
    arguments = [str(folder / "a.csv"), "--mapping", str(folder / "m.toml"), "--token-kind", "erc20"]
    assert cli.main(["score", *arguments, "--as-of", AS_OF, "--engine", "python", "--format", "json"]) == 0
    out, error = capsys.readouterr()
    found = json.loads(out)
    assert {row["holder_id"]: row["score"] for row in found["holders"]} == BOTH
    [recognised] = found["recognised"]
    assert (recognised["feed"], recognised["token_kind"], recognised["left_out"]) == (
        "ethereum-etl",
        "erc20",
        0,
    )
    assert error == f"{folder / 'a.csv'}: read as ethereum-etl (erc20)\n"
    (folder / "b.csv").write_text("user,Timestamp,weight\na,1619827200,5000000\n")
    columns = [
        "--columns",
        "holder_id=user,start=Timestamp",
        "--token",
        "APE",
        "--time-unit",
        "s",
        "--decimals",
        "6",
    ]
    assert cli.main(["score", str(folder / "b.csv"), *columns, "--as-of", AS_OF, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["holders"][0]["score"] == "864000"
